"""The loop that takes runs from the queue and has them executed."""

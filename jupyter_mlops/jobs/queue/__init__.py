"""What is asked for: checked, fixed as it is now, and put into the queue."""

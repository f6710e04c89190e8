"""One step from before to after: its options, its record, and what is kept of it."""

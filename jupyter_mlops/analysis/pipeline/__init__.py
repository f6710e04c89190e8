"""A notebook's cells and steps, and who may read what from whom."""

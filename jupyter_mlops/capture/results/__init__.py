"""Results on record: written behind the cell's back, found when they equal a new run, continued after a failure."""

"""One kernel's view of its notebook, its run and its store."""

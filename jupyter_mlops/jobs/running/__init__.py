"""One run executed: from its row in the index to its executed notebook, its record kept true meanwhile."""

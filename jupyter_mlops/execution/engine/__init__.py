"""Cell by cell through a notebook, until it ends or is stopped."""

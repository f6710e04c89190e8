"""Files, locks and processes, as the operating system has them."""

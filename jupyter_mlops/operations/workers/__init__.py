"""Worker and scheduler as services of the machine."""

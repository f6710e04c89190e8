"""Content-addressed bytes, in the project's folder or behind a URL."""

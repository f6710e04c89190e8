"""Notebooks as people write them with common libraries: what of them is reused, told as a table."""

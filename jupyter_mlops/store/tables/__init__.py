"""Reads and writes of the index, one file a noun."""

"""Rows and objects on their way to another store."""

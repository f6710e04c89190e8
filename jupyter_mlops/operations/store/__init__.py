"""Keeping house in a project's store: how large it is, whether it is sound, removing, and bringing it elsewhere."""

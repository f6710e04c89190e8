"""Runs whose process is gone: what is left of them is kept, and they are asked for again."""

"""`dumps` and `loads` of json as they are before a notebook runs: it may put something else in their place.

Loaded with the extension, and used by all that works in a notebook's kernel.
"""

from json import dumps, loads

__all__ = ["dumps", "loads"]

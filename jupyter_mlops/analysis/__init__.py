"""Pure functions on source: no I/O, no clock, and nothing heavier than `ast` on import."""

"""The reuse of cells against its oracle: whatever is reused must show what a plain run shows."""

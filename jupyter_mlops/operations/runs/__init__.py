"""Runs: asking for them, stopping, continuing, comparing them."""

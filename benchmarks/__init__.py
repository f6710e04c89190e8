"""Measurements of what the package costs and saves. `make bench`, or `python -m benchmarks [NAME...]`."""

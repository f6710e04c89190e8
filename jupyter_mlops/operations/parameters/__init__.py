"""The values a notebook would run with, and where they come from."""

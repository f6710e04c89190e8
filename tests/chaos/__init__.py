"""Workers killed at random while they execute jobs: `python -m tests.chaos`."""

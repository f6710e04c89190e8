"""One notebook executed in one kernel, and a true word of how it ended. Knows nothing of the store's index."""

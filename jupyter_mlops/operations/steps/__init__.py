"""Steps: their state, their reasons, their versions, and what depends on what."""

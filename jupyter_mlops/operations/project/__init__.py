"""Projects: making one from a template, the demo, and the secrets it has."""

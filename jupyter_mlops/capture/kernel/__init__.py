"""Where capture meets IPython and ipykernel."""

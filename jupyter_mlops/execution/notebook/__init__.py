"""The executed notebook: its outputs, its file, its journal."""

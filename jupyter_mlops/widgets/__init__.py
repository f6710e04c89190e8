"""ipywidgets for what is better clicked than typed."""

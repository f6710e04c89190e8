"""The Jupyter server extension: REST routes under `/jupyter-mlops/` and change events."""

"""Who acts: the notebook, a local module, a library, its import, or MLflow."""

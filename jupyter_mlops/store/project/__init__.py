"""Where a project is, where its store is, and what its `mlops.toml` says."""

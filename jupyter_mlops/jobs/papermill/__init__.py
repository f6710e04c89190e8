"""The papermill engine `mlops`."""

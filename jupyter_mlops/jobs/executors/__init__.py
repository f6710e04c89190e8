"""Where claimed runs are executed: in threads of the worker, in other processes, on other machines."""

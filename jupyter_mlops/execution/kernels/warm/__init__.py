"""Warm kernels: a process with shell and imports ready forks one kernel for each job, without sockets of Jupyter's."""

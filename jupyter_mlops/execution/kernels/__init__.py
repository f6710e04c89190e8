"""Kernels of jobs: ordinary ones, and warm ones that are forked."""

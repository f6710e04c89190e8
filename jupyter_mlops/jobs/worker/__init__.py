"""Runs taken from the queue and executed."""

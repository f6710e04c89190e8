"""Schedules: adding, removing and listing them."""

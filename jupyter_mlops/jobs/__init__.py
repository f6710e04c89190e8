"""Runs in the background: the papermill engine, the runner process, cron and the scheduler."""

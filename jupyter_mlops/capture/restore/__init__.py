"""Results put in place of running: names at once, values when they are needed."""

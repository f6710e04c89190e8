"""One step, truthfully: record what it read and made, key it, reuse it where that is certain."""

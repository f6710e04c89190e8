"""The verbs of `%mlops VERB` and `jupyter mlops VERB`: one definition each, for both surfaces."""

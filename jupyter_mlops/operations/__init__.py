"""One function per verb, one file per verb: every write goes through one of these."""

"""Floor 6: one file per verb, each read top to bottom."""

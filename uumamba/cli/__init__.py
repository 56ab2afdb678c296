"""Floor 7: one file per command; parse, call the workflow, print, exit."""

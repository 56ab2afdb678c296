"""Floor 4: the loop, checkpoints and the run directory."""

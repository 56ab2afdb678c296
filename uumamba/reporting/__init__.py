"""Floor 4: figures of runs, cases and evaluations."""

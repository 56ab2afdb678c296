"""Floor 1: (prediction, reference, spacing) to a number."""

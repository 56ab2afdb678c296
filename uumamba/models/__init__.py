"""Floor 2: networks."""

"""Floor 1: what training minimises."""

"""Floor 1: one optimisation step, its update rules, optimizers and schedules."""

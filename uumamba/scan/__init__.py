"""Floor 1: the selective scan."""

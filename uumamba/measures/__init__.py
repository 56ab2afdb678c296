"""Floor 1: (label map, spacing) to ml, g and %."""

"""Floor 3: predictions and references to tables and statistics."""

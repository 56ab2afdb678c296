"""Floor 2: cases, splits, plans, preprocessing, augmentation, loading."""

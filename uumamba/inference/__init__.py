"""Floor 3: bundles, sliding window, predictor."""

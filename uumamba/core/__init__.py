"""Floor 0: errors, settings, label sets, seeds, files, logging; knows nothing of images or networks."""

"""Floor 1: images in patient space, their files and geometry."""

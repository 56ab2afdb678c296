"""uumamba infer: images to label maps on their own grids."""

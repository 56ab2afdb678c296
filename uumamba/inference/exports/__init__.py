"""What a bundle can be exported to: one file for each target, one line for it in `table`."""

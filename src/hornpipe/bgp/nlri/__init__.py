"""Address families: one file each, one row each in `table`."""

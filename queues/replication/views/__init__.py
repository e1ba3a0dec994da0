"""Pages of the pairing server and of conflicts."""

"""A pass: taking up, claiming, working, writing; and the runs it counts for (architecture §4)."""

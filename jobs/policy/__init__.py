"""The policy of a job: how many at once, how fast, whose turn, live before backfill."""

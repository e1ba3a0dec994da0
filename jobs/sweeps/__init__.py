"""Data sources other than the queue: sweeps with their position, tokens and the backfill wizard (ADR 0006)."""

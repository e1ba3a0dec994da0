"""Actions on many records: frozen when they are previewed, worked off in slices by a task (screens §3.3)."""

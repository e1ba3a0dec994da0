"""Actions on many calls: frozen when they are previewed, done in one transaction with one audit row (screens §3.3)."""

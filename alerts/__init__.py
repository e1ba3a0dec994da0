"""Alert rules: what is watched, since when it is wrong, who was told (ADR 0009)."""

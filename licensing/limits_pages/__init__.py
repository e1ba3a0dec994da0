"""The tab Service Limits: the four fields, what they come to, and saving them (domain L2–L6, C24–C29)."""

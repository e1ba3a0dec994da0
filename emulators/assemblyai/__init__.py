"""A stand-in for AssemblyAI's API (providers §4.1)."""

"""Circuit breakers of engines."""

"""AI engines, AI tasks and the AI kind."""

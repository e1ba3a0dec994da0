"""AI tasks: what is asked of conversations. The global library, what a tenant makes of it, and versions of both (ADR 0014)."""

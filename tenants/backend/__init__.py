"""The strict database backend (security M3, M4, M7)."""

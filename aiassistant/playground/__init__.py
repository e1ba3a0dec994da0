"""Trying a draft of an AI task on a few conversations beside the version that runs (ADR 0018)."""

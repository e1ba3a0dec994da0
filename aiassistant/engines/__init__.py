"""Adapters of AI engines: no Django, no database, no retry, no sleep."""

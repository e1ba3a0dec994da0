"""Adapters to speech engines: one folder a provider. They touch no Django, no database, retry nothing, never sleep."""

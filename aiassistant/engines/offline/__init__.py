"""The built-in engine: answers without a language model and without a network, for what rules can answer."""

from aiassistant.engines.offline.engine import OfflineEngine

__all__ = ["OfflineEngine"]

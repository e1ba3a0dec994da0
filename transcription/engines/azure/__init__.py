"""Microsoft Azure Speech to Text (providers §2)."""

from transcription.engines.azure.engine import AzureEngine

__all__ = ["AzureEngine"]

"""Google Cloud Speech-to-Text (providers §1)."""

from transcription.engines.google.engine import GoogleEngine

__all__ = ["GoogleEngine"]

"""The native Speech API v2 (providers §4.2)."""

from transcription.engines.native.engine import NativeSpeechEngine

__all__ = ["NativeSpeechEngine"]

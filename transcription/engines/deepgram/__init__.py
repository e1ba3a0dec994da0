"""Deepgram, in the cloud and on own servers (providers §4.1)."""

from transcription.engines.deepgram.engine import DeepgramEngine

__all__ = ["DeepgramEngine"]

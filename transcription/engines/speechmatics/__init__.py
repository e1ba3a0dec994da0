"""Speechmatics, in its cloud or in containers of one's own (providers §4.1)."""

from transcription.engines.speechmatics.engine import SpeechmaticsEngine

__all__ = ["SpeechmaticsEngine"]

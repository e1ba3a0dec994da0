"""OpenAI's audio transcriptions, and servers that speak the same protocol (providers §3)."""

from transcription.engines.openai.engine import CompatibleAudioEngine, OpenAIAudioEngine

__all__ = ["CompatibleAudioEngine", "OpenAIAudioEngine"]

"""AssemblyAI (providers §4.1)."""

from transcription.engines.assemblyai.engine import AssemblyAIEngine

__all__ = ["AssemblyAIEngine"]

"""OpenAI, Azure OpenAI and servers that speak the same protocol (providers §3)."""

from aiassistant.engines.openai.engine import AzureOpenAIEngine, CompatibleEngine, OpenAIEngine

__all__ = ["AzureOpenAIEngine", "CompatibleEngine", "OpenAIEngine"]

"""App configuration."""

from django.apps import AppConfig


class AIAssistantConfig(AppConfig):
    """AI engines and what is done with them."""

    name = "aiassistant"

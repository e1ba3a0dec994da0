"""App configuration."""

from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    """Conversations."""

    name = "conversations"

"""App configuration."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Usage."""

    name = "usage"

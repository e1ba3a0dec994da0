"""App configuration."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Demo. Has no tables."""

    name = "demo"

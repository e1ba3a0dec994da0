"""App configuration."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Alerts."""

    name = "alerts"

"""App configuration."""

from django.apps import AppConfig


class LicensingConfig(AppConfig):
    """Licensing."""

    name = "licensing"

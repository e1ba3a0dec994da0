"""App configuration."""

from django.apps import AppConfig


class CustomFieldsConfig(AppConfig):
    """Custom fields."""

    name = "customfields"

    def ready(self) -> None:
        """Register the system checks."""
        from customfields import checks  # noqa: F401

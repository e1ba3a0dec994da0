"""App configuration."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants."""

    name = "tenants"

    def ready(self) -> None:
        """Register the system checks."""
        from tenants import checks  # noqa: F401

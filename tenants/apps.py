"""App configuration."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants."""

    name = "tenants"

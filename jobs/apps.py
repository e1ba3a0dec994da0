"""App configuration."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs."""

    name = "jobs"

    def ready(self) -> None:
        """Register the system checks."""
        from jobs import checks  # noqa: F401

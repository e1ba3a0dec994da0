"""App configuration."""

from django.apps import AppConfig


class QueuesConfig(AppConfig):
    """Queues."""

    name = "queues"

    def ready(self) -> None:
        """Register the system checks."""
        from queues import checks  # noqa: F401

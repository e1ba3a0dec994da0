"""App configuration."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs."""

    name = "jobs"

    def ready(self) -> None:
        """Register the system checks and what a worker does when it starts."""
        from jobs import checks  # noqa: F401
        from jobs.workers import children  # noqa: F401

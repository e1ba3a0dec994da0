"""App configuration."""

from django.apps import AppConfig


class QueuesConfig(AppConfig):
    """Queues."""

    name = "queues"

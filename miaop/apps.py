"""App configuration."""

from django.apps import AppConfig


class MiaopConfig(AppConfig):
    """The offline-task API."""

    name = "miaop"

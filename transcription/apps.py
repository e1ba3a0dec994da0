"""App configuration."""

from django.apps import AppConfig


class TranscriptionConfig(AppConfig):
    """Transcription."""

    name = "transcription"

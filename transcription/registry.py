"""The registry of speech engine types (settings.SPEECH_ENGINES)."""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from transcription.engines.base import SpeechEngine


@lru_cache(maxsize=1)
def engine_types() -> dict[str, type[SpeechEngine]]:
    """Every engine type by its key."""
    return {key: import_string(path) for key, path in settings.SPEECH_ENGINES.items()}

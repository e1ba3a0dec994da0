"""The registry of AI engine types (settings.AI_ENGINES)."""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from aiassistant.engines.base import AIEngine


@lru_cache(maxsize=1)
def engine_types() -> dict[str, type[AIEngine]]:
    """Every engine type by its key."""
    return {key: import_string(path) for key, path in settings.AI_ENGINES.items()}

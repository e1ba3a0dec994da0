"""Wrong configuration is found at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_readers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The dotted path must lead to a function."""
    try:
        import_string(settings.QUEUE_READERS)
    except ImportError as error:
        return [Error(f"QUEUE_READERS = {settings.QUEUE_READERS!r} cannot be imported: {error}", id="queues.E001")]
    return []

"""Wrong configuration is found at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_readers(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The dotted paths must lead to functions."""
    found: list[CheckMessage] = []
    for name in ("QUEUE_READERS", "QUEUE_READERS_PULSE"):
        path = getattr(settings, name)
        try:
            import_string(path)
        except ImportError as error:
            found.append(Error(f"{name} = {path!r} cannot be imported: {error}", id="queues.E001"))
    return found

"""Wrong configuration is found at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_registries(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every dotted path of the registries must lead to a class."""
    problems: list[CheckMessage] = []
    for name in ("JOB_KINDS", "SPEECH_ENGINES", "AI_ENGINES"):
        for key, path in getattr(settings, name).items():
            try:
                import_string(path)
            except ImportError as error:
                problems.append(Error(f"{name}[{key!r}] = {path!r} cannot be imported: {error}", id="jobs.E001"))
    return problems

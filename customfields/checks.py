"""Wrong configuration is found at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_uses(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every dotted path must lead to a function."""
    problems: list[CheckMessage] = []
    for key, path in settings.CUSTOM_FIELD_USES.items():
        try:
            import_string(path)
        except ImportError as error:
            text = f"CUSTOM_FIELD_USES[{key!r}] = {path!r} cannot be imported: {error}"
            problems.append(Error(text, id="customfields.E001"))
    return problems

"""Wrong configuration is found at start, not when a tenant is to be deleted."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_registries(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every dotted path of what a deletion calls must lead to something."""
    problems: list[CheckMessage] = []
    for path in (*settings.TENANT_FOLDERS, *settings.TENANT_PURGES.values(), *settings.TENANT_SWEEPS.values()):
        try:
            import_string(path)
        except ImportError as error:
            problems.append(Error(f"{path!r} cannot be imported: {error}", id="tenants.E001"))
    return problems

"""Wrong settings of the identity facade are found at start, not by the first client."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

ERRORS, TLS = ("classic", "keycloak-26.6"), ("external", "all", "none")


@register
def check_realms(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The modes must be known, and the public address must be one that tokens can name as their issuer (R2.5)."""
    problems: list[CheckMessage] = []
    for name, value, known, identity in (
        ("PARLANCE_REALMS_ERRORS", settings.REALMS_ERRORS, ERRORS, "accounts.E001"),
        ("PARLANCE_REALMS_TLS", settings.REALMS_TLS, TLS, "accounts.E002"),
    ):
        if value not in known:
            problems.append(Error(f"{name} is {value!r}; it must be one of: {', '.join(known)}.", id=identity))
    try:
        parts = urlsplit(settings.BASE_URL)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        fine = False
    if not fine:
        hint = "an address such as https://parlance.example/, without query and fragment"
        problems.append(Error(f"PARLANCE_BASE_URL is {settings.BASE_URL!r}; it must be {hint}.", id="accounts.E003"))
    return problems

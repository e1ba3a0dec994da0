"""What every page's frame shows: navigation by permission, scope badge, theme, zone."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import Permission


@dataclass(frozen=True)
class Entry:
    """One line of the navigation; ``route`` is a URL name, so higher apps are named only as data."""

    label: str | Promise
    route: str
    icon: str
    permissions: tuple[str, ...]


CALLS = (Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS)
NAVIGATION: list[tuple[str | Promise, list[Entry]]] = [
    (
        _("Conversations"),
        [
            Entry(_("Home"), "usage:home", "home", (Permission.HOME_VIEW,)),
            Entry(_("Calls"), "conversations:calls", "phone", CALLS),
            Entry(_("Upload"), "conversations:upload", "upload", (Permission.CALLS_UPLOAD,)),
        ],
    ),
    (
        _("Speech Analytics"),
        [
            Entry(_("Engines"), "transcription:engines", "microphone", (Permission.ENGINES_VIEW,)),
            Entry(_("Jobs"), "jobs:jobs", "player-play", (Permission.JOBS_VIEW,)),
            Entry(_("Usage"), "usage:transcription", "gauge", (Permission.USAGE_VIEW,)),
        ],
    ),
    (
        _("Administration"),
        [
            Entry(_("Processing Queues"), "queues:queues", "stack-2", (Permission.QUEUES_VIEW,)),
            Entry(_("Tenants"), "licensing:tenants", "building", (Permission.TENANTS_VIEW,)),
            Entry(_("Users"), "licensing:users", "users", (Permission.USERS_VIEW,)),
            Entry(_("Roles"), "accounts:roles", "key", (Permission.ROLES_VIEW,)),
            Entry(_("Audit Trail"), "audit:trail", "history", ("audit_trail.view",)),
            Entry(_("Allowed Addresses"), "tenants:allowed_addresses", "shield-check", (Permission.ADDRESSES_EDIT,)),
        ],
    ),
]


def page_frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``nav``, ``tenant``, ``theme``, ``zone``, ``version``, ``request_id``."""
    user = getattr(request, "user", None)
    theme = request.COOKIES.get("theme", "system")
    return {
        "nav": _navigation(request, user) if isinstance(user, User) else [],
        "tenant": getattr(request, "tenant", None),
        "theme": theme if theme in {"light", "dark"} else "system",
        "zone": timezone.get_current_timezone_name(),
        "version": settings.VERSION,
        "request_id": getattr(request, "request_id", "-"),
    }


def _navigation(request: HttpRequest, user: User) -> list[dict[str, Any]]:
    shown = [
        (label, [entry for entry in entries if any(user.has(permission) for permission in entry.permissions)])
        for label, entries in NAVIGATION
    ]
    urls = {entry.route: reverse(entry.route) for _label, entries in shown for entry in entries}
    # The longest address that the page's begins with: "Upload" is below "Calls" and must win over it.
    here = max((url for url in urls.values() if url != "/" and request.path.startswith(url)), key=len, default="/")
    return [
        {
            "label": label,
            "items": [
                {
                    "label": entry.label,
                    "url": urls[entry.route],
                    "icon": entry.icon,
                    "active": urls[entry.route] == here and (here != "/" or request.path == "/"),
                }
                for entry in entries
            ],
        }
        for label, entries in shown
        if entries
    ]

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
from accounts.permissions import AccessScope, Permission
from tenants.pages import tabs_of


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
            Entry(_("Conversations"), "conversations:calls", "phone", CALLS),
            Entry(_("Dashboard"), "usage:dashboard", "activity", CALLS),
            Entry(_("Offline Tasks"), "offline:tasks", "inbox", (Permission.MIAOP_READ,)),
            Entry(_("Upload"), "conversations:upload", "upload", (Permission.CALLS_UPLOAD,)),
        ],
    ),
    (
        _("Speech Analytics"),
        [
            Entry(_("Engines"), "transcription:engines", "microphone", (Permission.ENGINES_VIEW,)),
            Entry(_("Languages"), "transcription:languages", "language", (Permission.ENGINES_VIEW,)),
            Entry(_("AI Engines"), "aiassistant:engines", "messages", (Permission.ENGINES_VIEW,)),
            Entry(_("AI Tasks"), "aitasks:tasks", "adjustments-horizontal", (Permission.AI_TASKS_VIEW,)),
            Entry(_("Jobs"), "jobs:jobs", "player-play", (Permission.JOBS_VIEW,)),
            Entry(_("Usage"), "usage:transcription", "gauge", (Permission.USAGE_VIEW,)),
            Entry(_("AI Usage and Cost"), "rails:usage", "chart-bar", (Permission.USAGE_VIEW,)),
        ],
    ),
    (
        _("Administration"),
        [
            Entry(_("Processing Queues"), "queues:queues", "stack-2", (Permission.QUEUES_VIEW,)),
            Entry(_("Workers"), "workers:list", "server", (Permission.JOBS_VIEW,)),
            Entry(_("Tenants"), "licensing:tenants", "building", (Permission.TENANTS_VIEW,)),
            Entry(_("Users"), "licensing:users", "users", (Permission.USERS_VIEW,)),
            Entry(_("Roles"), "accounts:roles", "key", (Permission.ROLES_VIEW,)),
            Entry(_("Custom Fields"), "customfields:fields", "tag", (Permission.CUSTOM_FIELDS_VIEW,)),
            Entry(_("Audit Trail"), "audit:trail", "history", ("audit_trail.view",)),
            Entry(_("Alerts"), "alerts:list", "alert-triangle", (Permission.JOBS_VIEW,)),
            Entry(_("Pairing Server"), "pairing:server", "plug-connected", (Permission.PAIRING_VIEW,)),
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
    """The sections with what ``user`` may see; the entry whose pages the present one is among is active."""
    shown = [
        (label, [_line(entry) for entry in entries if any(user.has(permission) for permission in entry.permissions)])
        for label, entries in NAVIGATION
    ]
    shown[-1][1][:0] = _own_organisation(user)
    roots = [line["root"] for _label, lines in shown for line in lines]
    # The longest address that the page's begins with: "Upload" is below "Conversations" and must win over it.
    here = max((root for root in roots if root != "/" and request.path.startswith(root)), key=len, default="/")
    for _label, lines in shown:
        for line in lines:
            line["active"] = line["root"] == here and (here != "/" or request.path == "/")
    return [{"label": label, "items": lines} for label, lines in shown if lines]


def _line(entry: Entry) -> dict[str, Any]:
    """``root``: with what the addresses of its pages begin."""
    url = reverse(entry.route)
    return {"label": entry.label, "url": url, "root": url, "icon": entry.icon}


def _own_organisation(user: User) -> list[dict[str, Any]]:
    """The door to the settings of the own tenant, or the one viewed, for those who have no list of tenants."""
    tenant = user.viewing or user.tenant
    # Staff who manage groups of tenants need not see System among them.
    if user.has(Permission.TENANTS_VIEW) or (tenant.is_system and user.scope == AccessScope.MANAGED_GROUPS):
        return []
    tabs = tabs_of(tenant, user, "")
    root = reverse("tenants:tenant", args=[tenant.pk])
    return [{"label": _("Organisation"), "url": tabs[0]["url"], "root": root, "icon": "building"}] if tabs else []

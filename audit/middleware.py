"""Reads are audited where they leave: audio, transcripts, exports, and access that was refused (security A2)."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import AuditEntry
from audit.services import append
from core.middleware import error_response

logger = logging.getLogger(__name__)
# The same refusal again within this time, of a page that polls or a reader who tries again, adds nothing.
REPEATS = timedelta(minutes=1)
MAX_PATH = 300
SHOWN = {200, 206}


class AccessAuditMiddleware:
    """Writes the row of a marked answer (``audit.services.seen``), of a file to save, and of a 403.

    Stands innermost, inside the tenant and with the viewer known. When the row of a read cannot be written the read is
    refused with 503. A refusal is recorded with path and method, never with the values of the query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Look at the answer before it is sent."""
        response = self.get_response(request)
        if not request.user.is_authenticated:
            return response
        mark = refusal(request) if response.status_code == 403 else mark_of(request, response)
        if mark is None:
            return response
        try:
            record(request, **mark)
        except DatabaseError as error:
            # Not the message: it quotes the row.
            logger.error("An audit row about %s could not be written: %s", mark["action"], type(error).__name__)
            if response.status_code == 403:
                # Nothing was shown, so nothing is to be taken back.
                return response
            # Only its file: close() would also end the request, inside the tenant's door.
            for closer in response._resource_closers:  # type: ignore[attr-defined]
                closer()
            message = _("This cannot be shown now, because the audit trail cannot record it.")
            return error_response(request, 503, message, code="unaudited")
        return response


def mark_of(request: HttpRequest, response: HttpResponseBase) -> dict[str, Any] | None:
    """What the view has said, or that a file leaves without its view having said anything; None for other answers."""
    if response.status_code not in SHOWN or request.method == "HEAD":
        return None
    mark: dict[str, Any] | None = getattr(response, "audit", None)
    if mark is None:
        if not response.get("Content-Disposition", "").startswith("attachment"):
            return None
        mark = {"action": "export.made", "target_type": "page", "target_id": route_of(request), "details": {}}
    # Only the names of the filters: what was typed into them may be a person's name or number.
    used = sorted(name for name, value in request.GET.items() if value and name not in {"format", "download"})
    more = {"path": request.path[:MAX_PATH], **({"filters": used[:50]} if used else {})}
    return {**mark, "details": {**mark["details"], **more}}


def refusal(request: HttpRequest) -> dict[str, Any]:
    """The mark of a 403."""
    return {
        "action": "access.denied",
        "target_type": "page",
        "target_id": route_of(request),
        "details": {"path": request.path[:MAX_PATH], "method": request.method},
        "once": REPEATS,
    }


def route_of(request: HttpRequest) -> str:
    """The URL name of the page that was asked for."""
    return request.resolver_match.view_name if request.resolver_match else ""


def record(request: HttpRequest, *, details: dict[str, Any], once: timedelta | None = None, **said: Any) -> None:
    """Append the row to the chain of the tenant that the viewer stands in, unless there is one already (``once``)."""
    user: Any = request.user
    tenant: Any = request.tenant  # type: ignore[attr-defined]
    if once is not None:
        recent = AuditEntry.objects.filter(at__gt=timezone.now() - once, tenant_id=tenant.pk, actor=user.actor, **said)
        keys = {name: value for name, value in details.items() if name in {"path", "method"}}
        if recent.filter(**{f"details__{name}": value for name, value in keys.items()}).exists():
            return
    with transaction.atomic():
        append(tenant_id=tenant.pk, actor=user.actor, details=details, **said)

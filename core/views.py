"""Health checks and the error pages."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MAX_TOTAL_HEADER_SIZE, MultiPartParserError  # type: ignore[attr-defined]
from django.utils.translation import gettext as _

from core.middleware import error_response
from core.policy import public


@public
def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process answers. Asks no dependency, so that a database outage starts no restart storm."""
    return JsonResponse({"status": "ok"})


@public
def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: database, cache and storage answer. 503 with the name of what does not."""
    checks: dict[str, Callable[[], Any]] = {
        "database": _ask_database,
        "redis": lambda: cache.get("readyz"),
        "storage": lambda: default_storage.exists("readyz"),
    }
    results: dict[str, dict[str, Any]] = {}
    for name, check in checks.items():
        started = time.monotonic()
        try:
            check()
            results[name] = {"ok": True, "ms": round((time.monotonic() - started) * 1000)}
        except Exception as error:
            results[name] = {"ok": False, "error": type(error).__name__}
    ready = all(result["ok"] for result in results.values())
    return JsonResponse({"status": "ok" if ready else "unavailable", "checks": results}, status=200 if ready else 503)


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400, or 413 with the limit for a body that is too large in some way."""
    match exception:
        case RequestDataTooBig():
            message = _("The form is too large: at most %(limit)s MB besides files.")
            return _too_large(request, message, settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2)
        case TooManyFieldsSent():
            message = _("The request has too many fields: at most %(limit)s fields.")
            return _too_large(request, message, settings.DATA_UPLOAD_MAX_NUMBER_FIELDS)
        case TooManyFilesSent():
            message = _("The request has too many files: at most %(limit)s files.")
            return _too_large(request, message, settings.DATA_UPLOAD_MAX_NUMBER_FILES)
        case MultiPartParserError() if "header size" in str(exception):
            message = _("A file name or field name is too long: at most %(limit)s bytes with its headers.")
            message %= {"limit": f"{MAX_TOTAL_HEADER_SIZE:,}"}
            return error_response(request, 400, message, code="name_too_long")
    return error_response(request, 400, _("The request cannot be understood."), code="bad_request")


def _too_large(request: HttpRequest, message: str, limit: int | None) -> HttpResponse:
    return error_response(request, 413, message % {"limit": f"{limit:,}"}, code="too_large")


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: the message names the missing permission when the refusing place gave one."""
    message = str(exception) if exception and str(exception) else _("You do not have the permission for this.")
    return error_response(request, 403, message, code="forbidden")


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: the same for unknown and for foreign objects (architecture §3)."""
    return error_response(request, 404, _("There is nothing here."), code="not_found")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: says the request id and nothing about the inside."""
    return error_response(request, 500, _("Something went wrong on our side."), code="server_error")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a missing or foreign CSRF token."""
    return error_response(
        request, 403, _("This form was too old or came from elsewhere. Reload the page and try again."), code="csrf"
    )

"""Middleware without knowledge of tenants or users: request id, response headers, errors that have a message."""

import ipaddress
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from core.api_errors import api_error
from core.errors import ParlanceError
from core.files import NO_ROOM
from core.logs import client_ip, request_id

GetResponse = Callable[[HttpRequest], HttpResponseBase]
SAFE_ID = re.compile(r"[A-Za-z0-9_-]{8,64}\Z")
logger = logging.getLogger(__name__)


def peer_address(meta: Mapping[str, Any]) -> str | None:
    """The address of the client: of the connection, or what our own proxies say about it (hostile 3A4).

    With ``TRUSTED_PROXY_COUNT`` = n the n-th entry from the right of ``X-Forwarded-For`` counts: only our proxies wrote
    it and what stands to its right. Anything else there is what the client claims; a malformed or too short header
    counts as none. None when the connection has no address (a socket in the file system).
    """
    direct = _address(str(meta.get("REMOTE_ADDR", "")))
    hops = settings.TRUSTED_PROXY_COUNT
    forwarded = str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    if hops < 1 or len(forwarded) < hops:
        return direct
    return _address(forwarded[-hops].strip()) or direct


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    # A zone ("%eth0") is the sender's own affair, and no database type takes it.
    return str(mapped or address).partition("%")[0]


class RequestIdMiddleware:
    """Gives each request an id (a well-formed ``X-Request-Id`` is kept) and returns it in the response."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set id and client address for logs, error pages and audit rows around the rest of the request."""
        given = request.headers.get("X-Request-Id", "")
        current = given if SAFE_ID.match(given) else f"req_{uuid.uuid4().hex}"
        request.request_id = current  # type: ignore[attr-defined]
        token, ip_token = request_id.set(current), client_ip.set(peer_address(request.META))
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(token)
            client_ip.reset(ip_token)
        response["X-Request-Id"] = current
        return response


class ResponseHeadersMiddleware:
    """Personal pages are never cached by shared caches, and browsers get no ambient powers (hostile 3F11)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add Cache-Control and Permissions-Policy where the view has not set its own."""
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        return response


class CookielessMiddleware:
    """Takes cookies and wishes for a language off requests to APIs that know callers by a token alone (``API_PATHS``; R3.1).

    So no session of the pages is read there, none is kept alive, and a page that was made to call cannot act for anybody.
    Programs compare messages, and people search for them: they are in one language, whoever asks.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Nobody further in sees a cookie or a language."""
        if is_api(request):
            request.META.pop("HTTP_COOKIE", None)
            request.META.pop("HTTP_ACCEPT_LANGUAGE", None)
            request.COOKIES = {}
        return self.get_response(request)


class CharsetMiddleware:
    """Refuses text in anything but UTF-8 before the query string or the body is read (core.requests says why)."""

    accepted = frozenset({"", "utf-8", "us-ascii"})

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 415 for a Content-Type with another charset or unreadable parameters, 400 for NUL in a cookie."""
        if (request.content_params or {}).get("charset", "").strip().lower() not in self.accepted:
            message = _("Text must be encoded as UTF-8: send no charset, or charset=utf-8, in Content-Type.")
            return error_response(request, 415, message, code="charset")
        # A quoted cookie may spell NUL as \000, and the session is looked up by its cookie.
        if any("\x00" in value for value in request.COOKIES.values()):
            return error_response(request, 400, _("A cookie holds a NUL character."))
        return self.get_response(request)


class ErrorMiddleware:
    """Turns a ParlanceError that no view has caught into a page, or JSON, with its status and message."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse what no database can store, then go on."""
        if "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            return error_response(request, 400, "The address holds a NUL character.")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for ParlanceError; everything else is Django's business."""
        if isinstance(exception, OSError) and exception.errno in NO_ROOM:
            logger.error("The disk is full")
            message = _("The disk of the server is full. Nothing was stored; try again later.")
            return error_response(request, 507, message, code="disk_full")
        if not isinstance(exception, ParlanceError):
            return None
        logger.info("Refused with %s: %s", exception.status, exception.code)
        return error_response(request, exception.status, exception.message, code=exception.code)


def is_api(request: HttpRequest) -> bool:
    """True for the paths whose callers are programs with a token."""
    return re.match(settings.API_PATHS, request.path_info.removeprefix("/")) is not None


def wants_json(request: HttpRequest) -> bool:
    """True when the caller asked for JSON before HTML, or is a program anyway."""
    return is_api(request) or request.headers.get("Accept", "").startswith("application/json")


def error_response(request: HttpRequest, status: int, message: str, *, code: str = "error") -> HttpResponse:
    """The one shape of errors: ``{error, message, request_id}`` or the same as a page; of APIs what their clients read."""
    identity = getattr(request, "request_id", "-")
    if is_api(request):
        return JsonResponse(_api_error(request, status, code, message, identity), status=status)
    if wants_json(request):
        return JsonResponse({"error": code, "message": message, "request_id": identity}, status=status)
    template = f"{status}.html" if status in {400, 403, 404, 409, 500} else "400.html"
    context = {"message": message, "status": status, "request_id": identity}
    return render(request, template, context, status=status)


def _api_error(request: HttpRequest, status: int, code: str, message: str, identity: str) -> dict[str, Any]:
    """What went wrong before a view of an API was reached: as OAuth has it below realms, else section 8 of the contract."""
    if "realms/" in request.path_info:
        return {"error": "invalid_request", "error_description": message}
    return api_error(status, code.upper(), message, identity)

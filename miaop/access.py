"""The door of E2–E6: a bearer token, a right, and errors in the one shape. Cookies of the pages do not count here (R3.1)."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.realms.access import BearerRefused, Caller, authenticate, tls_missing
from accounts.realms.answers import with_cors
from accounts.realms.models import RealmSetting
from accounts.realms.selectors import listed_anywhere
from accounts.signin.services import tenant_named
from core.logs import acting_tenant
from core.policy import public
from miaop.errors import ApiError, not_found
from miaop.rates import REQUESTS, count

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]
AGAIN = {"Retry-After": "10"}


def endpoint(*methods: str, right: str) -> Callable[[View], Callable[..., HttpResponseBase]]:
    """Let only callers with a valid token pass who hold ``right``; the view gets ``caller`` after the request.

    The view enters tenants itself: callers of ``master`` act for others than their own.
    """

    def decorate(view: View) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            origins: list[str] = []
            try:
                if request.method == "OPTIONS":
                    # A preflight carries no token, so no tenant is known; the answer to the call itself says who may read.
                    origin = request.headers.get("Origin", "")
                    preflight = HttpResponse(status=204, headers={"Allow": ", ".join((*methods, "OPTIONS"))})
                    listed = [origin] if listed_anywhere(origin) else []
                    return with_cors(request, preflight, listed, ", ".join(methods))
                if tls_missing(request):
                    raise ApiError(403, "HTTPS_REQUIRED", "Call this API by https.")
                if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                    allow = {"Allow": ", ".join(methods)}
                    raise ApiError(405, "METHOD_NOT_ALLOWED", "This address takes other methods.", headers=allow)
                caller = _caller(request)
                origins = _origins(caller)
                response = _inside(request, caller, right, view, args, kwargs)
            except ApiError as error:
                response = error.answer()
            except (RequestDataTooBig, TooManyFieldsSent, SuspiciousOperation):
                response = ApiError(400, "BAD_REQUEST", "The request cannot be read.").answer()
            except (InterfaceError, OperationalError):
                # What was begun is rolled back; the same call again is right, which 500 would not say.
                logger.exception("The database failed a call of the offline-task API")
                message = "The server cannot do this now. Try again."
                response = ApiError(503, "SERVICE_UNAVAILABLE", message, headers=AGAIN).answer()
            except Exception:
                # Clients of this API read JSON, also of our own faults.
                logger.exception("A call of the offline-task API failed")
                response = ApiError(500, "INTERNAL_ERROR", "The server failed. Try again later.").answer()
            return with_cors(request, response, origins, ", ".join(methods))

        return public(csrf_exempt(guarded))

    return decorate


def _caller(request: HttpRequest) -> Caller:
    try:
        return authenticate(request.headers.get("Authorization", ""))
    except BearerRefused as error:
        if error.several:
            raise ApiError(400, "BAD_REQUEST", "There is more than one Authorization header.") from None
        if error.realm and not RealmSetting.objects.filter(tenant=tenant_named(error.realm), enabled=True).exists():
            # Of a tenant that has the API off (R1.1).
            raise not_found() from None
        challenge = f'Bearer realm="{error.realm or "parlance"}", error="invalid_token"'
        message = "The access token is missing, expired or not valid."
        raise ApiError(401, "INVALID_TOKEN", message, headers={"WWW-Authenticate": challenge}) from None


def _inside(
    request: HttpRequest, caller: Caller, right: str, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> HttpResponse:
    count(caller, REQUESTS)
    if not caller.user.has(right):
        raise ApiError(403, "PERMISSION_DENIED", caller.user.lacking(right))
    with ExitStack() as stack:
        token = acting_tenant.set(caller.tenant.pk)
        stack.callback(acting_tenant.reset, token)
        stack.enter_context(timezone.override(ZoneInfo(caller.user.zone)))
        return view(request, caller, *args, **kwargs)


def _origins(caller: Caller) -> list[str]:
    return RealmSetting.objects.values_list("cors_origins", flat=True).get(tenant=caller.tenant)

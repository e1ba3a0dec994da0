"""Shows pages in the viewer's zone and language, says for the audit trail whose user acts, and minds his duties."""

import zoneinfo
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import sessions
from accounts.lockout import TooManyAttempts
from accounts.models import User
from accounts.signin.flow import DUTY
from core.logs import acting_tenant
from core.middleware import error_response, wants_json
from core.policy import PUBLIC


class ViewerMiddleware:
    """Activates zone, language and acting tenant of the signed-in user for the request; notes that he is there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """User's zone, else the tenant's, else UTC (screens §3.10); language likewise, else what the browser asks for."""
        user = request.user if isinstance(request.user, User) else None
        token = acting_tenant.set(user.tenant_id if user else None)
        try:
            with ExitStack() as stack:
                stack.enter_context(timezone.override(zoneinfo.ZoneInfo(user.zone if user else "UTC")))
                language = _language_of(user)
                if language:
                    stack.enter_context(translation.override(language))
                if user:
                    sessions.seen(request)
                response = self.get_response(request)
                # Otherwise the header would name the browser's language, which is active again further out.
                response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
                return response
        finally:
            acting_tenant.reset(token)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """429 with Retry-After for a door that is closed for a while."""
        if not isinstance(exception, TooManyAttempts):
            return None
        response = error_response(request, exception.status, exception.message, code=exception.code)
        response["Retry-After"] = str(exception.retry_after)
        return response


def _language_of(user: User | None) -> str:
    """The user's language, else the tenant's, as far as the product still speaks it; empty for a stranger."""
    spoken = dict(settings.LANGUAGES)
    wishes = [user.language, user.tenant.language] if user is not None else []
    return next((code for code in wishes if code in spoken), "")


FREE = frozenset({"accounts:sign_out", "accounts:theme"})
PASSWORD, ADD_FACTOR = "accounts:password", "accounts:authenticator"
FACTOR_PAGES = FREE | {ADD_FACTOR, "accounts:passkey_add", "accounts:confirm", PASSWORD}


class DutyMiddleware:
    """Who must change his password, or add a second factor, can do nothing else before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Only ``process_view`` knows which page is asked for."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Lead pages to the duty; refuse calls with 403."""
        if not isinstance(request.user, User):
            return None
        duty, allowed = "", FREE
        if request.user.must_change_password and sessions.by_password(request):
            duty, allowed = PASSWORD, FREE | {PASSWORD}
        elif request.session.get(DUTY):
            duty, allowed = ADD_FACTOR, FACTOR_PAGES
        name = request.resolver_match.view_name if request.resolver_match else ""
        if not duty or name in allowed or (getattr(view, "policy", None) == PUBLIC and name.startswith("core:")):
            return None
        if wants_json(request) or request.headers.get("HX-Request"):
            return error_response(request, 403, _("Finish your sign-in first."), code="sign_in_unfinished")
        return redirect(duty)

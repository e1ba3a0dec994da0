"""The one place where routes check permissions: every route is declared with ``requires`` or ``public``.

The user is asked ``has(code)`` and ``lacking(code)``; which codes there are and who holds them is known to accounts alone. So every app,
also one below accounts, can declare its routes. A route without a policy fails the architecture tests.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from core.middleware import error_response, wants_json

PUBLIC = "public"
View = Callable[..., HttpResponseBase]


def public(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view as open to anybody."""
    view.policy = PUBLIC  # type: ignore[attr-defined]
    return view


def requires(*permissions: str) -> Callable[[View], View]:
    """Let only signed-in users pass who hold any of ``permissions`` (all roles when none is named).

    An anonymous page view goes to the sign-in page, an anonymous JSON or htmx call gets 401; a user without the
    permission gets 403 with the name of the missing right and who can give it.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            refusal = _refusal(request)
            if refusal is not None:
                return refusal
            user: Any = request.user
            if permissions and not any(user.has(permission) for permission in permissions):
                raise PermissionDenied(user.lacking(*permissions))
            return view(request, *args, **kwargs)

        guarded.policy = permissions  # type: ignore[attr-defined]
        return guarded

    return decorate


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if request.user.is_authenticated:
        return None
    if wants_json(request):
        return error_response(request, 401, _("Sign in first."), code="not_signed_in")
    if request.headers.get("HX-Request"):
        response = HttpResponse(status=401)
        response["HX-Redirect"] = redirect_to_login(_own_part(request.headers.get("HX-Current-URL", ""))).url
        return response
    return redirect_to_login(request.get_full_path())


def _own_part(address: str) -> str:
    """Path and query of a page's address: the sign-in page goes back to nothing that names a host."""
    try:
        page = urlsplit(address)
    except ValueError:
        return "/"
    return urlunsplit(("", "", page.path or "/", page.query, ""))

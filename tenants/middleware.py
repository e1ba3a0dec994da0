"""The web door: a signed-in request runs inside the tenant of its user, or the one viewed as, and nowhere else."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from core.middleware import error_response
from tenants import viewing
from tenants.doors import DoorError, TenantUnavailable, enter, outside
from tenants.models import Tenant

READING = frozenset({"GET", "HEAD", "OPTIONS"})
LEAVE, SIGN_OUT = "tenants:leave_view", "accounts:sign_out"
# What is allowed while viewing although it is no reading: nothing of the tenant changes by it.
HARMLESS = frozenset({LEAVE, SIGN_OUT, "accounts:theme"})


class TenantDoorMiddleware:
    """Enters the user's tenant for the request; a session of a tenant that is not ready ends.

    Sets ``request.tenant`` and, while somebody views as a tenant, ``request.viewing`` and ``request.user.viewing``;
    then nothing can be changed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Run the request inside its tenant and check that the connection came back outside (T3)."""
        if not outside():
            raise DoorError("A request began inside a tenant.")
        request.tenant = request.viewing = None  # type: ignore[attr-defined]
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return self.get_response(request)
        try:
            with enter(self._tenant_of(request, user)) as tenant:
                request.tenant = tenant  # type: ignore[attr-defined]
                return self.get_response(request)
        except TenantUnavailable:
            logout(request)
            request.tenant = request.viewing = None  # type: ignore[attr-defined]
            return self.get_response(request)

    def _tenant_of(self, request: HttpRequest, user: Any) -> Tenant:
        """The tenant viewed as, else the user's own. Ends a view that may not go on."""
        if user.tenant.state != Tenant.State.READY or viewing.SESSION_KEY not in request.session:
            return user.tenant
        view = viewing.current(session=request.session, user=user)
        if view is None:
            messages.warning(request, _("The view as a tenant has ended. You are back in your own organisation."))
            return user.tenant
        request.viewing = view  # type: ignore[attr-defined]
        user.viewing = view.tenant
        return view.tenant

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """While viewing as a tenant refuse everything that could change something (403)."""
        view_now = getattr(request, "viewing", None)
        if view_now is None or request.method in READING:
            return None
        match = request.resolver_match
        if match is None or match.view_name not in HARMLESS:
            message = _("You are viewing as %(tenant)s; leave it to make changes.") % {"tenant": view_now.tenant.name}
            return error_response(request, 403, message, code="viewing")
        if match.view_name == SIGN_OUT:
            viewing.end(session=request.session, user=request.user, why="signed_out")
        return None

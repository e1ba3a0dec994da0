"""The web door: a signed-in request runs inside the tenant of its user and nowhere else."""

from collections.abc import Callable

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase

from tenants.doors import DoorError, TenantUnavailable, enter, outside


class TenantDoorMiddleware:
    """Enters the user's tenant for the request; a session of a tenant that is not ready ends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Run the request inside its tenant and check that the connection came back outside (T3)."""
        if not outside():
            raise DoorError("A request began inside a tenant.")
        request.tenant = None  # type: ignore[attr-defined]
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return self.get_response(request)
        try:
            with enter(user.tenant) as tenant:
                request.tenant = tenant  # type: ignore[attr-defined]
                return self.get_response(request)
        except TenantUnavailable:
            logout(request)
            request.tenant = None  # type: ignore[attr-defined]
            return self.get_response(request)

"""From the first factor to a session: asks for the second factor when there is one, sets the cookies at the end."""

from dataclasses import asdict, dataclass

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import sessions
from accounts.devices import remember_device
from accounts.factors import services as factor_services
from accounts.models import User
from accounts.passwords import account_of
from accounts.security_models import TenantSignIn
from tenants.models import Tenant

PENDING, DUTY = "sign_in_pending", "must_add_second_factor"
PENDING_SECONDS = 600
YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits for its second factor: an anonymous session that can do nothing else."""

    user: str
    method: str
    target: str
    at: float


def proceed(*, request: HttpRequest, user: User, method: str, target: str) -> HttpResponse:
    """After the first factor: finish, or lead to the second."""
    setting = TenantSignIn.objects.filter(tenant=user.tenant_id).first()
    # A provider that is trusted with the second factor too has asked for it already.
    ours = method == "password" or (setting is not None and setting.oidc_second_factor)
    has_factor = ours and factor_services.of(user).exists()
    if has_factor:
        logout(request)
        request.session[PENDING] = asdict(Pending(str(user.pk), method, target, timezone.now().timestamp()))
        return redirect("accounts:second_factor")
    by_password = method == "password"
    demanded = setting is not None and (setting.require_second_factor if by_password else setting.oidc_second_factor)
    return finish(request=request, user=user, method=method, target=target, must_add_factor=demanded)


def finish(
    *, request: HttpRequest, user: User, method: str, target: str, must_add_factor: bool = False
) -> HttpResponse:
    """Begin the session and go to ``target``."""
    request.session.pop(PENDING, None)
    sessions.begin(request=request, user=user, method=method)
    if must_add_factor:
        request.session[DUTY] = True
    response = redirect(target)
    response.set_cookie(
        "organisation", user.tenant.slug, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    remember_device(request, response, account_of(user))
    return response


def pending(request: HttpRequest) -> Pending | None:
    """The sign-in of this browser that waits for its second factor; None when there is none or it is too old."""
    stored = request.session.get(PENDING)
    if stored is None:
        return None
    found = Pending(**stored)
    return found if 0 <= timezone.now().timestamp() - found.at < PENDING_SECONDS else None


def pending_user(found: Pending) -> User | None:
    """Its user, unless he was disabled or his tenant suspended in between."""
    return User.objects.filter(pk=found.user, is_active=True, tenant__state=Tenant.State.READY).first()


def own_path(request: HttpRequest, target: str) -> str:
    """Return ``target`` when it is a path on this host, else the start page (hostile 3F2)."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe and target.startswith("/") else "/"

"""Single sign-on: to the provider and back."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.lockout import guard_address
from accounts.oidc import services
from accounts.signin import flow
from accounts.signin.forms import SignInForm
from accounts.signin.services import tenant_named
from accounts.signin.views import sign_in_page
from core.policy import public
from tenants.models import Tenant

TRIP = "oidc_trip"


@public
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the provider of the organisation in the form.

    A page with a link that follows itself, no redirect: a form may only lead to ourselves (Content-Security-Policy).
    """
    target = flow.own_path(request, request.POST.get("next", ""))
    if request.user.is_authenticated:
        return redirect(target)
    organisation = request.POST.get("organisation", "")[:40].replace("\x00", "")
    tenant = tenant_named(organisation)
    attempt = guard_address()
    try:
        address, trip = services.begin(
            tenant=tenant, redirect_uri=request.build_absolute_uri(reverse("accounts:oidc_callback")), target=target
        )
    except services.SingleSignOnRefused as refusal:
        return _refused(request, tenant, refusal, organisation, target)
    attempt.succeeded()
    request.session[TRIP] = trip
    return render(request, "accounts/to_provider.html", {"address": address})


@public
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Take the provider's answer. What the session kept is good for one answer: a second one is refused.

    Each answer is counted on the address until somebody has come in by it: it may cost a request to the provider.
    """
    attempt = guard_address()
    stored = request.session.pop(TRIP, None)
    if stored is None:
        return _refused(request, None, services.SingleSignOnRefused("no_round_trip"), "", "/")
    trip = services.RoundTrip(**stored)
    answer = {name: str(value)[:4000] for name, value in request.GET.items()}
    try:
        user = services.complete(trip=trip, answer=answer)
    except services.SingleSignOnRefused as refusal:
        tenant = Tenant.objects.filter(pk=trip.tenant).first()
        return _refused(request, tenant, refusal, tenant.slug if tenant else "", trip.target)
    attempt.succeeded()
    if request.user.is_authenticated:
        logout(request)
    return flow.proceed(request=request, user=user, method="oidc", target=trip.target)


def _refused(
    request: HttpRequest, tenant: Tenant | None, refusal: services.SingleSignOnRefused, organisation: str, target: str
) -> HttpResponse:
    services.refuse(tenant=tenant, reason=refusal.reason)
    if refusal.unreachable:
        problem = _("The sign-in service of your organisation cannot be reached just now.")
    else:
        problem = _("Single sign-on did not let you in. Ask an administrator of your organisation.")
    form = SignInForm(request=request, initial={"organisation": organisation})
    return sign_in_page(request, form, target, problem)

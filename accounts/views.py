"""Sign-in, sign-out and the viewer's theme."""

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts.forms import SignInForm
from accounts.models import User
from accounts.services import record_sign_in, record_sign_out
from core.policy import public

THEMES = {"light", "dark", "system"}
YEAR = 365 * 24 * 3600


@public
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form; on success rotate the session and go to ``next``, if that is a path of ours (hostile 3F2)."""
    target = own_path(request, request.POST.get("next") or request.GET.get("next") or "")
    if request.user.is_authenticated:
        return redirect(target)
    initial = {"organisation": request.GET.get("organisation") or request.COOKIES.get("organisation", "")}
    form = SignInForm(request.POST or None, request=request, initial=initial)
    if request.method == "POST" and form.is_valid() and form.user is not None:
        login(request, form.user)
        record_sign_in(user=form.user)
        response = redirect(target)
        response.set_cookie(
            "organisation",
            form.user.tenant.slug,
            max_age=YEAR,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure(),
        )
        return response
    context = {
        "form": form,
        "next": target,
        "demo_sign_ins": getattr(settings, "SHOW_DEMO_SIGN_INS", False),
    }
    return render(request, "accounts/sign_in.html", context, status=422 if form.errors else 200)


@public
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; the old session id is dead."""
    if isinstance(request.user, User):
        record_sign_out(user=request.user)
    logout(request)
    return redirect("accounts:sign_in")


@public
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or system in a cookie, which the server reads before it paints."""
    response = redirect(own_path(request, request.POST.get("next", "")))
    choice = request.POST.get("theme", "")
    if choice in THEMES:
        response.set_cookie("theme", choice, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    return response


def own_path(request: HttpRequest, target: str) -> str:
    """Return ``target`` when it is a path on this host, else the start page."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe and target.startswith("/") else "/"

"""Sign-in, second factor, the password asked again, sign-out."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import sessions
from accounts.devices import known_device
from accounts.factors import passkeys
from accounts.factors import services as factor_services
from accounts.models import User
from accounts.passwords import account_of, confirm
from accounts.policy import viewer
from accounts.security_models import SecondFactor, TenantSignIn
from accounts.signin import flow
from accounts.signin.forms import CodeForm, ConfirmForm, SignInForm
from core.errors import InvalidInput, ParlanceError
from core.middleware import error_response
from core.policy import public

GET_POST = ["GET", "HEAD", "POST"]


@public
@require_http_methods(GET_POST)
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form; on success rotate the session and go to ``next``, if that is a path of ours (hostile 3F2)."""
    if "password" in request.GET:
        return error_response(request, 400, _("A password does not belong into the address."))
    target = flow.own_path(request, request.POST.get("next") or request.GET.get("next") or "")
    if request.user.is_authenticated:
        return redirect(target)
    initial = {"organisation": request.GET.get("organisation") or request.COOKIES.get("organisation", "")}
    form = SignInForm(request.POST if request.method == "POST" else None, request=request, initial=initial)
    if request.method == "POST" and form.is_valid() and form.user is not None:
        return flow.proceed(request=request, user=form.user, method="password", target=target)
    return sign_in_page(request, form, target)


def sign_in_page(request: HttpRequest, form: SignInForm, target: str, problem: str = "") -> HttpResponse:
    """The page with the form, what was wrong, and single sign-on where any tenant uses it."""
    # What was typed, also when the form refused it; no slug holds a NUL, and no database takes one.
    named = str(form["organisation"].value() or "").replace("\x00", "").strip().lower()
    single = TenantSignIn.objects.filter(oidc_enabled=True)
    context = {
        "form": form,
        "next": target,
        "problem": problem,
        "single_sign_on": single.exists(),
        "single_label": single.filter(tenant__slug=named).values_list("oidc_label", flat=True).first() if named else "",
        "demo_sign_ins": getattr(settings, "SHOW_DEMO_SIGN_INS", False),
    }
    return render(request, "accounts/sign_in.html", context, status=422 if form.errors or problem else 200)


@public
@require_http_methods(GET_POST)
def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of a sign-in that has passed the first."""
    waiting = flow.pending(request)
    user = flow.pending_user(waiting) if waiting else None
    if waiting is None or user is None:
        request.session.pop(flow.PENDING, None)
        return redirect("accounts:sign_in")
    form = CodeForm(request.POST if request.method == "POST" and "credential" not in request.POST else None)
    problem = ""
    if request.method == "POST":
        try:
            used = _second_factor_used(request, user, form)
        except ParlanceError as error:
            if error.status == 429:
                raise
            used, problem = "", error.message
        if used:
            method = f"{waiting.method}+{used}"
            return flow.finish(request=request, user=user, method=method, target=waiting.target)
        if form.is_bound and form.is_valid():
            form.add_error("code", _("This code is not right, or it was used before."))
    held = _passkeys_of(user)
    context = {
        "form": form,
        "problem": problem,
        "passkey_options": passkeys.request_options(request=request, held=held) if held else "",
        "username": user.username,
    }
    return render(request, "accounts/second_factor.html", context, status=422 if request.method == "POST" else 200)


def _second_factor_used(request: HttpRequest, user: User, form: CodeForm) -> str:
    if "credential" in request.POST:
        try:
            identity, count = passkeys.signed(
                request=request, answer=request.POST["credential"], held=_passkeys_of(user)
            )
        except InvalidInput:
            factor_services.record_refusal(user, "passkey_refused")
            raise
        factor_services.use_passkey(user=user, credential_id=identity, sign_count=count)
        return "passkey"
    return factor_services.use_code(user=user, code=form.cleaned_data["code"]) if form.is_valid() else ""


def _passkeys_of(user: User) -> list[bytes]:
    found = factor_services.of(user).filter(kind=SecondFactor.Kind.PASSKEY)
    return [bytes(data) for data in found.values_list("secret", flat=True)]


@require_http_methods(GET_POST)
def confirm_password(request: HttpRequest) -> HttpResponse:
    """Ask the password again before a page that changes how one signs in."""
    user = viewer(request)
    target = flow.own_path(request, request.POST.get("next") or request.GET.get("next") or "")
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            confirm(user=user, password=form.cleaned_data["current"], device=known_device(request, account_of(user)))
        except InvalidInput as error:
            form.add_error(error.field, error.message)
        else:
            sessions.confirmed(request)
            return redirect(target)
    context: dict[str, Any] = {
        "title": _("Confirm it is you"),
        "form": form,
        "next": target,
        "has_password": user.has_usable_password(),
    }
    return render(request, "accounts/confirm.html", context, status=422 if form.errors else 200)


@public
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; the old session id is dead."""
    if isinstance(request.user, User):
        sessions.signed_out(user=request.user, session_key=request.session.session_key)
    logout(request)
    return redirect("accounts:sign_in")

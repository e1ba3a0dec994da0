"""The profile and the pages below it."""

from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import passwords, sessions
from accounts.confirming import RecentlyConfirmed
from accounts.devices import known_device
from accounts.factors import passkeys
from accounts.factors import services as factor_services
from accounts.policy import viewer
from accounts.profile.forms import FirstCodeForm, PasskeyForm, PasswordForm, ProfileForm
from accounts.profile.services import FIELDS, save_profile
from accounts.security_models import RecoveryCode, SecondFactor, UserSession
from accounts.signin.flow import DUTY, YEAR, own_path
from core.errors import Conflict
from core.pages import ActionPage, ConfirmPage, Crumbs, FormPage, Page, Text
from core.policy import public

THEMES = {"light", "dark", "system"}
TITLE = gettext_lazy("Profile")


@public
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or system in a cookie, which the server reads before it paints."""
    response = redirect(own_path(request, request.POST.get("next", "")))
    choice = request.POST.get("theme", "")
    if choice in THEMES:
        response.set_cookie("theme", choice, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    return response


class BelowProfile(Page):
    """A page below the profile."""

    def breadcrumbs(self) -> Crumbs:
        """Profile."""
        return [(TITLE, reverse("accounts:profile"))]


class Sensitive(RecentlyConfirmed, BelowProfile):
    """A page that changes how one signs in: the sign-in, or the password asked again, must be recent."""

    def after_confirming(self) -> str:
        """A page that was read is read again; what was posted has to be begun anew."""
        return self.request.path if self.request.method == "GET" else reverse("accounts:profile")


class Profile(FormPage):
    """Oneself: form, password, second factors, sessions."""

    title = TITLE
    form_class = ProfileForm
    template_name = "accounts/profile.html"

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        user = viewer(self.request)
        initial = {name: getattr(user, name) for name in FIELDS} | {"version": user.version}
        return {"initial": initial, "tenant_zone": user.tenant.time_zone}

    def more_context(self, form: Any) -> dict[str, Any]:
        """Factors, sessions and what this person must do."""
        user = viewer(self.request)
        own_key = self.request.session.session_key
        found = [{"session": row, "here": row.session_key == own_key} for row in sessions.of(user)]
        return {
            "me": user,
            "factors": factor_services.of(user),
            "codes_left": RecoveryCode.objects.filter(user=user, used_at=None).count(),
            "sessions": found,
            "api_sessions": sessions.of_realm(user),
            "others": sum(not row["here"] for row in found),
            "must_add": self.request.session.get(DUTY, False),
        }

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        user = viewer(self.request)
        values = {name: form.cleaned_data[name] for name in FIELDS}
        save_profile(user=user, values=values, version=form.cleaned_data["version"] or 0, actor=user.actor)
        messages.success(self.request, _("Saved."))
        return redirect("accounts:profile")


class Password(BelowProfile, FormPage):
    """Change one's password."""

    title = gettext_lazy("Change password")
    form_class = PasswordForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Whoever has to change it cannot cancel: every other page leads back here."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = "" if viewer(request).must_change_password else reverse("accounts:profile")

    def more_context(self, form: Any) -> dict[str, Any]:
        """What happens, and why somebody was led here."""
        text = _("All your other sessions end.")
        if viewer(self.request).must_change_password:
            text = _("Your password was set by an administrator. Choose your own before you go on.")
        return {"intro": text, "submit_label": _("Change password")}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service; the session goes on under a new id."""
        user, key = viewer(self.request), self.request.session.session_key or ""
        led_here = user.must_change_password
        passwords.change_own(
            user=user,
            current=form.cleaned_data["current"],
            new=form.cleaned_data["new"],
            actor=user.actor,
            device=known_device(self.request, passwords.account_of(user)),
            keep_session=key,
        )
        update_session_auth_hash(self.request, user)
        sessions.renewed(request=self.request, old_key=key)
        messages.success(self.request, _("Your password was changed. Your other sessions have ended."))
        return redirect("/" if led_here else "accounts:profile")


class Authenticator(Sensitive, FormPage):
    """Add an authenticator app: scan the picture or type the secret, then enter the first code."""

    title = gettext_lazy("Add authenticator app")
    form_class = FirstCodeForm
    template_name = "accounts/authenticator.html"
    cancel_url = reverse_lazy("accounts:profile")  # type: ignore[assignment]

    def more_context(self, form: Any) -> dict[str, Any]:
        """Picture and secret."""
        user = viewer(self.request)
        secret = factor_services.begin_totp(user=user)
        address = factor_services.totp_address(user=user, secret=secret)
        picture = segno.make(address, error="m").svg_data_uri(scale=5, border=3, light="#fff", dark="#000")
        grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
        return {"picture": picture, "secret": grouped, "address": address}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service; shows the recovery codes if these are the first."""
        user = viewer(self.request)
        codes = factor_services.confirm_totp(user=user, code=form.cleaned_data["code"], actor=user.actor)
        return added(self, codes)


class PasskeyAdd(Sensitive, FormPage):
    """Add a passkey; needs JavaScript, because only a browser's script can ask for one."""

    title = gettext_lazy("Add passkey")
    form_class = PasskeyForm
    template_name = "accounts/passkey_add.html"
    cancel_url = reverse_lazy("accounts:profile")  # type: ignore[assignment]

    def more_context(self, form: Any) -> dict[str, Any]:
        """What the browser's script needs."""
        user = viewer(self.request)
        held = SecondFactor.objects.filter(user=user, kind=SecondFactor.Kind.PASSKEY)
        options = passkeys.creation_options(
            request=self.request,
            user_id=user.pk.bytes,
            name=user.actor,
            shown=str(user),
            held=[bytes(data) for data in held.values_list("secret", flat=True)],
        )
        return {"passkey_options": options}

    def save(self, form: Any) -> HttpResponseBase:
        """Judge the answer and store the passkey."""
        user = viewer(self.request)
        credential = passkeys.created(request=self.request, answer=form.cleaned_data["credential"])
        codes = factor_services.add_passkey(
            user=user, credential=credential, name=form.cleaned_data["name"], actor=user.actor
        )
        return added(self, codes)


def added(page: Page, codes: list[str]) -> HttpResponseBase:
    """After a new factor: the duty is done; recovery codes, if any were made, are shown this once."""
    page.request.session.pop(DUTY, None)
    if codes:
        return show_codes(page, codes)
    messages.success(page.request, _("The second factor was added."))
    return redirect("accounts:profile")


def show_codes(page: Page, codes: list[str]) -> HttpResponse:
    """The one page that ever shows recovery codes; nobody keeps a copy of it."""
    page.title, page.template_name = _("Your recovery codes"), "accounts/recovery_codes.html"
    return page.show(page.context(codes=codes))


class RecoveryCodes(Sensitive, ConfirmPage):
    """Make new recovery codes."""

    title = gettext_lazy("New recovery codes")
    confirm_label = gettext_lazy("Make new codes")
    danger = False
    cancel_url = reverse_lazy("accounts:profile")  # type: ignore[assignment]

    def message(self) -> Text:
        """The consequence."""
        return _("Ten new codes are made and shown once. The old ones stop working.")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Show them; without a second factor there is nothing to recover."""
        user = viewer(request)
        if not factor_services.of(user).exists():
            return self.ask(_("Add a second factor first."), status=409)
        return show_codes(self, factor_services.new_recovery_codes(user=user, actor=user.actor))


class FactorRemove(Sensitive, ConfirmPage):
    """Remove a second factor."""

    title = gettext_lazy("Remove this second factor?")
    confirm_label = gettext_lazy("Remove")
    cancel_url = reverse_lazy("accounts:profile")  # type: ignore[assignment]

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """One's own only."""
        super().setup(request, *args, **kwargs)
        self.factor = get_object_or_404(factor_services.of(viewer(request)), pk=kwargs["pk"])

    def message(self) -> Text:
        """The factor and the consequence."""
        if factor_services.of(viewer(self.request)).count() > 1:
            return _("“%(name)s” can no longer be used to sign in.") % {"name": self.factor.name}
        return _("“%(name)s” is your last second factor. Your password alone will open your account.") % {
            "name": self.factor.name
        }

    def act(self) -> Text:
        """Through the service."""
        factor_services.remove(factor=self.factor, actor=viewer(self.request).actor)
        return _("The second factor was removed.")


class SessionEnd(ActionPage):
    """End one of one's own sessions."""

    def act(self) -> str:
        """Through the service."""
        user = viewer(self.request)
        session = get_object_or_404(UserSession.objects.select_related("user"), user=user, pk=self.kwargs["pk"])
        if session.session_key == self.request.session.session_key:
            raise Conflict(_("This is the session you are in. Use Sign out."))
        sessions.revoke(session=session, actor=user.actor)
        messages.success(self.request, _("The session has ended."))
        return reverse("accounts:profile")

    def refused_url(self) -> str:
        """The profile."""
        return reverse("accounts:profile")


class RealmSessionEnd(ActionPage):
    """End one of one's own sessions of the offline-task API."""

    def act(self) -> str:
        """Through the service."""
        user = viewer(self.request)
        session = get_object_or_404(sessions.of_realm(user).select_related("user"), pk=self.kwargs["pk"])
        sessions.revoke_realm(session=session, actor=user.actor)
        messages.success(self.request, _("The session has ended."))
        return reverse("accounts:profile")

    def refused_url(self) -> str:
        """The profile."""
        return reverse("accounts:profile")


class OtherSessionsEnd(SessionEnd):
    """End all other sessions."""

    def act(self) -> str:
        """Through the service."""
        user = viewer(self.request)
        key = self.request.session.session_key or ""
        count = sessions.revoke_all(user=user, actor=user.actor, except_key=key)
        messages.success(self.request, _("Other sessions that have ended: %(count)s.") % {"count": count})
        return reverse("accounts:profile")

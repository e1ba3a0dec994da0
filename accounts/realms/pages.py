"""The tab "Offline-task API" of a tenant: setting, trusted issuers, signing keys, sessions."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import sessions
from accounts.confirming import RecentlyConfirmed
from accounts.permissions import Permission
from accounts.policy import viewer
from accounts.realms import keys, setup
from accounts.realms.forms import IssuerForm, RealmForm
from accounts.realms.models import RealmKey, TrustedIssuer
from accounts.realms.selectors import roles_of, sessions_of, setting_of
from accounts.realms.tokens import issuer_of
from accounts.signin.tenant_page import ConfirmedTab
from core.errors import Conflict
from core.pages import ConfirmPage, FormPage, Text
from tenants.models import Tenant
from tenants.pages import TenantPage

TAB = "accounts:tenant_realm"
SHOWN = 100


class RealmPage(ConfirmedTab):
    """The tab."""

    tab = TAB
    edit_right = Permission.SIGN_IN_EDIT
    form_class = RealmForm
    template_name = "accounts/tenant_realm.html"

    def form_arguments(self) -> dict[str, Any]:
        """The stored values."""
        setting = setting_of(self.tenant_row)
        initial = {name: getattr(setting, name) for name in setup.FIELDS} | {"version": setting.version}
        return {"initial": initial, "staff": viewer(self.request).tenant.is_system}

    def more_context(self, form: Any) -> dict[str, Any]:
        """What stands below the form."""
        row = self.tenant_row
        alive = sessions_of(row)
        return {
            "issuer": issuer_of(row),
            "issuers": TrustedIssuer.objects.filter(tenant=row).order_by("issuer"),
            "keys": RealmKey.objects.filter(tenant=row).order_by("-created_at")[:SHOWN],
            "sessions": alive[:SHOWN],
            "beyond": max(alive.count() - SHOWN, 0),
        }

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        setup.save_setting(
            tenant=self.tenant_row,
            values=form.cleaned_data,
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(TAB, pk=self.tenant_row.pk)


class BelowRealm(RecentlyConfirmed, TenantPage):
    """A page below the tab; changes how programs sign in, so the own sign-in must be recent."""

    tab = TAB

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Cancel and done lead back to the tab."""
        super().setup(request, *args, **kwargs)
        self.cancel_url = self.tab_url()

    def after_confirming(self) -> str:
        """The tab: nothing was typed yet that could be lost."""
        return self.request.path if self.request.method == "GET" else self.tab_url()


class IssuerPage(BelowRealm, FormPage):
    """Add or change a trusted issuer."""

    form_class = IssuerForm
    template_name = "tenants/tenant_form.html"
    issuer: TrustedIssuer | None = None

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """One of this tenant alone."""
        super().setup(request, *args, **kwargs)
        if "issuer_pk" in kwargs:
            rows = TrustedIssuer.objects.select_related("tenant")
            self.issuer = get_object_or_404(rows, tenant=self.tenant_row, pk=kwargs["issuer_pk"])

    def get_title(self) -> Text:
        """What is done."""
        return _("Trusted issuer") if self.issuer else _("Trust an issuer")

    def form_arguments(self) -> dict[str, Any]:
        """The stored values; roles by name."""
        row = self.issuer or TrustedIssuer(tenant=self.tenant_row, version=0)
        initial = {name: getattr(row, name) for name in setup.ISSUER_FIELDS} | {"version": row.version}
        names = {role.pk: str(role) for role in roles_of(self.tenant_row)}
        initial["roles"] = [f"{value} = {names.get(identity, '?')}" for value, identity in row.roles]
        return {"initial": initial, "tenant": self.tenant_row}

    def more_context(self, form: Any) -> dict[str, Any]:
        """Whom this lets in."""
        text = _(
            "Whoever this issuer vouches for calls the API as the user of that name, without a second factor of ours."
        )
        return {"warning": text}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        setup.save_issuer(
            tenant=self.tenant_row,
            issuer=self.issuer,
            values=form.cleaned_data,
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(TAB, pk=self.tenant_row.pk)


class RealmQuestion(BelowRealm, ConfirmPage):
    """Base of what is asked first."""

    template_name = "core/confirm.html"


class IssuerRemove(RealmQuestion):
    """Trust an issuer no more."""

    title = gettext_lazy("Trust this issuer no more?")
    confirm_label = gettext_lazy("Remove")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """One of this tenant alone."""
        super().setup(request, *args, **kwargs)
        rows = TrustedIssuer.objects.select_related("tenant")
        self.issuer = get_object_or_404(rows, tenant=self.tenant_row, pk=kwargs["issuer_pk"])

    def message(self) -> Text:
        """The consequence."""
        return _("Tokens of %(issuer)s are refused at once.") % {"issuer": self.issuer.issuer}

    def act(self) -> Text:
        """Through the service."""
        setup.remove_issuer(issuer=self.issuer, editor=viewer(self.request))
        return _("The issuer is trusted no more.")


class KeyRotate(RealmQuestion):
    """Let a new key sign."""

    title = gettext_lazy("Rotate the signing key?")
    confirm_label = gettext_lazy("Rotate now")
    danger = False

    def message(self) -> Text:
        """The consequence."""
        return _(
            "A new key signs from now on. Tokens that were signed before stay valid until they expire, and the old key "
            "stays published for as long."
        )

    def act(self) -> Text:
        """Through the service."""
        if self.tenant_row.state != Tenant.State.READY:
            raise Conflict(_("Only a tenant that is ready has a key that signs."))
        keys.rotate(tenant=self.tenant_row, actor=viewer(self.request).actor)
        return _("A new key signs from now on.")


class SessionEnd(RealmQuestion):
    """End a session of one of the tenant's users."""

    title = gettext_lazy("End this session?")
    confirm_label = gettext_lazy("End")

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """One of this tenant alone."""
        super().setup(request, *args, **kwargs)
        self.session = get_object_or_404(sessions_of(self.tenant_row), pk=kwargs["session_pk"])

    def message(self) -> Text:
        """The consequence."""
        return _("The tokens of %(user)s that belong to it are worth nothing any more.") % {
            "user": self.session.user.username
        }

    def act(self) -> Text:
        """Through the service."""
        sessions.revoke_realm(session=self.session, actor=viewer(self.request).actor)
        return _("The session has ended.")

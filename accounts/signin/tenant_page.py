"""The tab "Sign-in" of a tenant: second factor, single sign-on."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.confirming import to_confirm
from accounts.models import Role
from accounts.oidc.services import save_setting, setting_of
from accounts.policy import viewer
from accounts.security_models import TenantSignIn
from accounts.sessions import confirmed_recently
from core.forms import EnableField, VersionedForm
from tenants.models import Tenant
from tenants.views.details import SettingsTab

FIELDS = (
    "require_second_factor",
    "oidc_enabled",
    "oidc_label",
    "oidc_issuer",
    "oidc_client_id",
    "oidc_match",
    "oidc_create_users",
    "oidc_default_role",
    "oidc_second_factor",
)


class TenantSignInForm(VersionedForm):
    """How the people of a tenant sign in. ``version`` 0: nothing was stored yet."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    require_second_factor = forms.BooleanField(
        label=gettext_lazy("Require a second factor"),
        required=False,
        help_text=gettext_lazy("Who has none is led to add one after the password."),
    )
    oidc_enabled = EnableField(label=gettext_lazy("Single sign-on"), initial=False)
    oidc_label = forms.CharField(
        label=gettext_lazy("Label of the button"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("For example “Sign in with Acme”."),
    )
    oidc_issuer = forms.CharField(
        label=gettext_lazy("Issuer"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("The https:// address of the OpenID Connect provider, exactly as it names itself."),
        widget=forms.URLInput(attrs={"dir": "ltr"}),
    )
    oidc_client_id = forms.CharField(label=gettext_lazy("Client id"), max_length=255, required=False)
    oidc_client_secret = forms.CharField(
        label=gettext_lazy("Client secret"),
        max_length=1000,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    oidc_match = forms.ChoiceField(label=gettext_lazy("Users are found by"), choices=TenantSignIn.Match.choices)
    oidc_create_users = forms.BooleanField(label=gettext_lazy("Create unknown users"), required=False)
    oidc_default_role = forms.ModelChoiceField(
        label=gettext_lazy("Role of created users"), queryset=Role.objects.none(), required=False
    )
    oidc_second_factor = forms.BooleanField(
        label=gettext_lazy("Ask for our second factor too"),
        required=False,
        help_text=gettext_lazy("Otherwise the provider is trusted with it."),
    )
    sections: list[tuple[str | Promise, list[str]]] = [
        (gettext_lazy("Password"), ["require_second_factor"]),
        (
            gettext_lazy("Single sign-on (OpenID Connect)"),
            ["oidc_enabled", "oidc_label", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_second_factor"],
        ),
        (gettext_lazy("Users"), ["oidc_match", "oidc_create_users", "oidc_default_role"]),
    ]

    def __init__(self, *args: Any, tenant: Tenant, has_secret: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = Role.objects.filter(Q(tenant=None) | Q(tenant=tenant), platform=tenant.is_system)
        self.fields["oidc_default_role"].queryset = roles.order_by("pk")  # type: ignore[attr-defined]
        if has_secret:
            self.fields["oidc_client_secret"].help_text = _("•••• is stored. Leave empty to keep it.")


class ConfirmedTab(SettingsTab):
    """A tab that decides who gets in: a forgotten browser is not enough to change it."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask the password before the form, so that nothing typed is lost to the question."""
        if self.may_edit and not confirmed_recently(request):
            return to_confirm(request)
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Store, after a recent sign-in alone."""
        if self.may_edit and not confirmed_recently(request):
            messages.warning(request, _("Nothing was saved yet. Confirm that it is you, then make your change again."))
            return to_confirm(request)
        return super().post(request, *args, **kwargs)


class TenantSignInPage(ConfirmedTab):
    """The tab."""

    tab = "accounts:tenant_sign_in"
    edit_right = "sign_in.edit"
    form_class = TenantSignInForm

    def form_arguments(self) -> dict[str, Any]:
        """The stored values; the secret is never shown."""
        setting = setting_of(self.tenant_row)
        initial = {name: getattr(setting, name) for name in FIELDS} | {"version": setting.version}
        return {
            "initial": initial,
            "tenant": self.tenant_row,
            "has_secret": setting.oidc_client_secret is not None,
        }

    def more_context(self, form: Any) -> dict[str, Any]:
        """What the provider has to be told."""
        address = self.request.build_absolute_uri(reverse("accounts:oidc_callback"))
        return {"intro": _("Redirect address to enter at the provider: %(address)s") % {"address": address}}

    def save(self, form: Any) -> HttpResponseBase:
        """Through the service."""
        save_setting(
            tenant=self.tenant_row,
            values=form.cleaned_data,
            version=form.cleaned_data["version"] or 0,
            editor=viewer(self.request),
        )
        messages.success(self.request, _("Saved."))
        return redirect(self.tab, pk=self.tenant_row.pk)

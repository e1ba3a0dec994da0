"""The forms of a realm and of the issuers that it trusts."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Role
from accounts.realms.models import ACCESS_SECONDS, REFRESH_SECONDS, TrustedIssuer
from accounts.realms.selectors import roles_of
from core.forms import EnableField, VersionedForm, WholeNumberField
from tenants.models import Tenant

LTR = {"dir": "ltr", "rows": 4, "spellcheck": "false"}


class LinesField(forms.CharField):
    """One value a line; empty lines count for nothing."""

    widget = forms.Textarea

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 20_000, "widget": forms.Textarea(attrs=LTR), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        """The stored list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """The lines."""
        lines = [line.strip() for line in super().clean(value).splitlines()]
        return list(dict.fromkeys(line for line in lines if line))


class RealmForm(VersionedForm):
    """How a tenant offers the offline-task API. ``version`` 0: nothing was stored yet."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    enabled = EnableField(label=gettext_lazy("Offline-task API"), initial=False)
    local_sign_in = forms.BooleanField(
        label=gettext_lazy("Sign-in with user name and password"),
        required=False,
        help_text=gettext_lazy("Without it only tokens of trusted issuers are accepted."),
    )
    access_seconds = WholeNumberField(
        label=gettext_lazy("Lifetime of access tokens"),
        min_value=ACCESS_SECONDS[0],
        max_value=ACCESS_SECONDS[1],
        help_text=gettext_lazy("Seconds, 60 to 3,600."),
    )
    refresh_seconds = WholeNumberField(
        label=gettext_lazy("Lifetime of refresh tokens"),
        min_value=REFRESH_SECONDS[0],
        max_value=REFRESH_SECONDS[1],
        help_text=gettext_lazy("Seconds, 300 to 86,400. A session ends after a day at the latest."),
    )
    cors_origins = LinesField(
        label=gettext_lazy("Origins of pages that may call it"),
        required=False,
        help_text=gettext_lazy("One a line, such as https://app.example. Programs other than browsers need none."),
    )
    participant_names = forms.BooleanField(
        label=gettext_lazy("Names of participants as speakers"),
        required=False,
        help_text=gettext_lazy("Otherwise transcripts say “Speaker-1” and so on."),
    )
    legacy_id = forms.BooleanField(
        label=gettext_lazy("Repeat “id” of speakers as “Id”"),
        required=False,
        help_text=gettext_lazy("For old programs. Some others stumble over names that differ in case alone."),
    )
    storage_megabytes = WholeNumberField(
        label=gettext_lazy("Storage for audio"),
        min_value=1,
        max_value=2_000_000_000,
        required=False,
        help_text=gettext_lazy("Megabytes, set by the provider's staff. Empty: no limit."),
    )
    sections: list[tuple[str | Promise, list[str]]] = [
        (gettext_lazy("Access"), ["enabled", "local_sign_in", "access_seconds", "refresh_seconds", "cors_origins"]),
        (gettext_lazy("Transcripts"), ["participant_names", "legacy_id"]),
        (gettext_lazy("Limits"), ["storage_megabytes"]),
    ]

    def __init__(self, *args: Any, staff: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["storage_megabytes"].disabled = not staff


class IssuerForm(VersionedForm):
    """A trusted issuer."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    enabled = EnableField()
    issuer = forms.CharField(
        label=gettext_lazy("Issuer"),
        max_length=500,
        help_text=gettext_lazy("The https:// address, exactly as its tokens name it."),
        widget=forms.URLInput(attrs={"dir": "ltr"}),
    )
    jwks_uri = forms.CharField(
        label=gettext_lazy("Address of the keys"),
        max_length=500,
        required=False,
        help_text=gettext_lazy("Leave empty to ask the issuer by discovery."),
        widget=forms.URLInput(attrs={"dir": "ltr"}),
    )
    clients = LinesField(
        label=gettext_lazy("Clients"),
        help_text=gettext_lazy("One a line: tokens must have been issued to one of them (azp)."),
    )
    mapping = forms.ChoiceField(label=gettext_lazy("Tenant is found by"), choices=TrustedIssuer.Mapping.choices)
    tenant_claim = forms.CharField(
        label=gettext_lazy("Claim with the tenant"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Its value must be the short name of the tenant. Dots lead into objects."),
    )
    user_claim = forms.ChoiceField(label=gettext_lazy("Users are found by"), choices=TrustedIssuer.UserClaim.choices)
    role_claim = forms.CharField(
        label=gettext_lazy("Claim with roles"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("For example realm_access.roles. Empty: everybody has the role that he has here."),
    )
    role_mode = forms.ChoiceField(label=gettext_lazy("A mapped role gives"), choices=TrustedIssuer.RoleMode.choices)
    roles = LinesField(
        label=gettext_lazy("Roles"),
        required=False,
        help_text=gettext_lazy(
            "One a line: value of the claim = role here. The first that a token has counts; with none it is refused."
        ),
    )
    sections: list[tuple[str | Promise, list[str]]] = [
        (gettext_lazy("Issuer"), ["enabled", "issuer", "jwks_uri", "clients"]),
        (gettext_lazy("Users"), ["mapping", "tenant_claim", "user_claim"]),
        (gettext_lazy("Roles"), ["role_claim", "role_mode", "roles"]),
    ]

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = {str(role).casefold(): role for role in roles_of(tenant)}

    def clean_roles(self) -> list[tuple[str, Role]]:
        """Pairs of value and role."""
        pairs = []
        for line in self.cleaned_data["roles"]:
            value, sign, name = (part.strip() for part in line.rpartition("="))
            role = self.offered.get(name.casefold())
            if not sign or not value or role is None:
                offered = ", ".join(sorted(str(role) for role in self.offered.values()))
                message = _("“%(line)s”: write value = role. Roles are: %(roles)s.")
                raise forms.ValidationError(message % {"line": line[:100], "roles": offered})
            pairs.append((value, role))
        return pairs

"""The forms of users; rules that hold everywhere are the services'."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Role, User
from accounts.people import FIELDS
from accounts.permissions import Permission
from accounts.roles.forms import own_tenants
from accounts.roles.services import demand_grantable
from core.errors import NotAllowed
from core.forms import EnableField, VersionedForm
from licensing.models import Bundle
from tenants.forms import LTR, GroupsField, TenantField, zone_choices
from tenants.models import Tenant
from tenants.selectors import groups_open_to

MAX_GROUPS = 100
# What nobody changes of himself.
OWN_LOCKED = {"role", "is_active", "group", "managed_groups", "managed_tenant_groups"}


def grantable_roles(editor: User, tenant: Tenant, present: Role | None = None) -> list[Role]:
    """The roles that ``editor`` may give to users of ``tenant``, with the one that the user has already."""
    found = []
    roles = Role.objects.filter(Q(tenant=tenant) | Q(tenant=None), platform=tenant.is_system)
    for role in roles.order_by("tenant_id", "pk"):
        try:
            demand_grantable(editor, role)
        except NotAllowed:
            if present is None or role.pk != present.pk:
                continue
        found.append(role)
    return found


class TenantChoice(forms.Form):
    """In which tenant a new user is made, or users are imported; for those who see several."""

    tenant = TenantField(required=True)

    def __init__(self, *args: Any, editor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = own_tenants(editor)  # type: ignore[attr-defined]


class PersonForm(VersionedForm):
    """A user: names, role, groups, status and the LICENSING boxes of the guide (domain L9)."""

    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={**LTR, "autocapitalize": "none", "autocomplete": "off"}),
        help_text=gettext_lazy("Letters, digits and the signs . @ + - _; unique in the tenant, whatever its case."),
    )
    full_name = forms.CharField(label=gettext_lazy("Full name"), max_length=150, required=False)
    email = forms.EmailField(label=gettext_lazy("Email"), required=False, widget=forms.EmailInput(attrs=LTR))
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False)
    is_active = EnableField()
    role = forms.ModelChoiceField(label=gettext_lazy("Role"), queryset=Role.objects.none(), empty_label=None)
    group = forms.CharField(label=gettext_lazy("Group"), max_length=120, required=False)
    managed_groups = forms.CharField(
        label=gettext_lazy("Managed groups"),
        required=False,
        max_length=5000,
        help_text=gettext_lazy("Names of groups, with commas between. For roles with the access scope Managed groups."),
    )
    managed_tenant_groups = GroupsField(
        label=gettext_lazy("Managed tenant groups"),
        help_text=gettext_lazy("For platform roles with the access scope Managed groups."),
    )
    licences = forms.MultipleChoiceField(
        label=gettext_lazy("Licences"), choices=Bundle.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Blank: one is made and shown once. It must be changed at the first sign-in."),
    )

    def __init__(self, *args: Any, editor: User, tenant: Tenant, user: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        blank = _("Time zone of the tenant (%(zone)s)") % {"zone": tenant.time_zone}
        self.fields["time_zone"].choices = [("", blank), *zone_choices()]  # type: ignore[attr-defined]
        roles = grantable_roles(editor, tenant, user.role if user is not None else None)
        self.fields["role"].queryset = Role.objects.filter(pk__in=[role.pk for role in roles])  # type: ignore[attr-defined]
        platform = tenant.is_system
        if platform:
            groups = groups_open_to(editor)
            self.fields["managed_tenant_groups"].queryset = groups  # type: ignore[attr-defined]
            if user is not None:
                managed = groups.filter(pk__in=user.managed_tenant_groups.values("pk"))
                self.initial["managed_tenant_groups"] = list(managed.values_list("pk", flat=True))
            del self.fields["managed_groups"]
        else:
            del self.fields["managed_tenant_groups"]
        if user is not None:
            del self.fields["password"]
        self.sections = [
            ("", ["username", "full_name", "email", *([] if user is not None else ["password"])]),
            (_("Access"), ["role", "group", "managed_tenant_groups" if platform else "managed_groups"]),
            (_("Settings"), ["time_zone", "is_active"]),
            (_("Licensing"), ["licences"]),
        ]
        self._disable(editor)

    def _disable(self, editor: User) -> None:
        """What this editor may not change keeps its value, whatever is posted."""
        for name, field in self.fields.items():
            right = Permission.LICENCES_ASSIGN if name == "licences" else Permission.USERS_EDIT
            if not editor.has(right) and name != "version":
                field.disabled = True
        if self.user is not None and self.user.pk == editor.pk:
            for name in OWN_LOCKED & self.fields.keys():
                self.fields[name].disabled = True

    def clean_managed_groups(self) -> list[str]:
        """Names without blanks and without doubles, in their order."""
        value = self.cleaned_data["managed_groups"]
        # A disabled field hands over what is stored.
        names = value if isinstance(value, list) else [name.strip() for name in value.split(",")]
        names = list(dict.fromkeys(name for name in names if name))
        if len(names) > MAX_GROUPS or any(len(name) > 120 for name in names):
            raise ValidationError(_("At most 100 groups of at most 120 characters each."))
        return names

    def values(self) -> dict[str, Any]:
        """What the service stores."""
        return {field: self.cleaned_data[field] for field in FIELDS if field in self.cleaned_data}

    def tenant_groups(self) -> list[Any] | None:
        """The chosen tenant groups with those that this editor cannot see; None where there are none to choose."""
        if "managed_tenant_groups" not in self.cleaned_data:
            return None
        chosen = list(self.cleaned_data["managed_tenant_groups"])
        if self.user is None:
            return chosen
        open_to_editor = self.fields["managed_tenant_groups"].queryset.values("pk")  # type: ignore[attr-defined]
        return [*chosen, *self.user.managed_tenant_groups.exclude(pk__in=open_to_editor)]


def initial_of(user: User) -> dict[str, Any]:
    """The stored values as the form shows them."""
    values = {field: getattr(user, field) for field in (*FIELDS, "version")}
    return {
        **values,
        "managed_groups": ", ".join(user.managed_groups),
        "licences": [licence.bundle for licence in user.licences.all()],  # type: ignore[attr-defined]
    }


class PasswordForm(forms.Form):
    """A new password for somebody."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        required=False,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Blank: one is made and shown once."),
    )


class BulkChoice(forms.Form):
    """What a bulk change needs to know besides the users: a licence or a role."""

    def __init__(self, *args: Any, action: str, editor: User, tenants: list[Tenant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if action in {"licence_add", "licence_remove"}:
            self.fields["licence"] = forms.ChoiceField(label=_("Licence"), choices=Bundle.choices)
        elif action == "role":
            # A role of one tenant cannot be given to users of another; then only the built-in ones are left.
            per_tenant = [{role.pk for role in grantable_roles(editor, tenant)} for tenant in tenants]
            common = set.intersection(*per_tenant) if per_tenant else set()
            roles = Role.objects.filter(pk__in=common).order_by("tenant_id", "pk")
            self.fields["role"] = forms.ModelChoiceField(label=_("Role"), queryset=roles)

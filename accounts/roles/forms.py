"""The forms of roles."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Role, User
from accounts.permissions import AccessScope
from accounts.roles.grid import all_labels
from accounts.roles.selectors import is_platform_staff, visible_roles
from core.forms import VersionedForm
from tenants.forms import TenantField
from tenants.models import Tenant
from tenants.selectors import visible_tenants

SCOPES = [
    (AccessScope.SYSTEM, _("System – everything in the tenant; for platform staff, all tenants.")),
    (
        AccessScope.MANAGED_GROUPS,
        _(
            "Managed groups – the own calls and those of the groups that the user manages; for platform staff, the "
            "tenants of the managed tenant groups."
        ),
    ),
    (AccessScope.USER, _("User – the user's own calls only.")),
]


def own_tenants(editor: User) -> QuerySet[Tenant]:
    """The tenants for which ``editor`` may make roles."""
    return visible_tenants(editor).exclude(state=Tenant.State.DELETED).order_by("-is_system", "name")


class TenantOfRole(forms.Form):
    """Platform staff choose the tenant of a new role; for everybody else it is the one they stand in."""

    tenant = TenantField(required=True, empty_label=None)

    def offer_tenants(self, editor: User, *, new: bool) -> None:
        """Fill the choices, or take the field away."""
        if new and is_platform_staff(editor):
            self.fields["tenant"].queryset = own_tenants(editor)  # type: ignore[attr-defined]
        else:
            del self.fields["tenant"]


class RoleForm(VersionedForm, TenantOfRole):
    """Name, tenant, access scope and the ticked boxes of the grid, which the page draws itself."""

    name = forms.CharField(label=_("Name"), max_length=80)
    scope = forms.ChoiceField(label=_("Access scope"), choices=SCOPES, widget=forms.RadioSelect)
    granted = forms.MultipleChoiceField(label=_("Rights"), choices=all_labels, required=False)
    sections = [("", ["name", "tenant", "scope"])]

    def __init__(self, *args: Any, editor: User, role: Role | None, frozen: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_tenants(editor, new=role is None)
        if "tenant" not in self.fields:
            self.sections = [("", ["name", "scope"])]
        for field in self.fields.values():
            field.disabled = frozen


class CloneForm(TenantOfRole):
    """The name of the copy."""

    name = forms.CharField(label=_("Name"), max_length=80)
    field_order = ["name", "tenant"]

    def __init__(self, *args: Any, editor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer_tenants(editor, new=True)


class CompareForm(forms.Form):
    """Two visible roles."""

    a = forms.ModelChoiceField(label=_("Role"), queryset=Role.objects.none())
    b = forms.ModelChoiceField(label=_("compared with"), queryset=Role.objects.none())

    def __init__(self, *args: Any, viewer: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("a", "b"):
            self.fields[name].queryset = visible_roles(viewer).order_by("tenant__name", "name")  # type: ignore[attr-defined]
            self.fields[name].label_from_instance = shown_name  # type: ignore[attr-defined]


def shown_name(role: Role) -> str:
    """The name with the tenant that it belongs to."""
    return str(role) if role.tenant is None else f"{role} · {role.tenant}"

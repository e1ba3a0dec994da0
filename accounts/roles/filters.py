"""Filters of the lists of roles."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Role
from accounts.permissions import ROLE_SCOPES, AccessScope
from accounts.roles.grid import all_labels
from accounts.roles.selectors import holding, is_platform_staff
from core.filters import LabelledChoiceFilter
from tenants.models import Tenant
from tenants.selectors import visible_tenants


def _tenants(request: Any) -> Any:
    return visible_tenants(request.user).order_by("name") if request is not None else Tenant.objects.none()


class RoleFilter(django_filters.FilterSet):
    """Name, kind, access scope, a right that the role grants; platform staff also by tenant."""

    q = django_filters.CharFilter(label=_("Name"), field_name="name", lookup_expr="icontains", max_length=80)
    kind = django_filters.ChoiceFilter(
        label=_("Kind"), method="of_kind", choices=[("built_in", _("Built-in")), ("own", _("Own"))]
    )
    scope = django_filters.ChoiceFilter(label=_("Access scope"), method="of_scope", choices=AccessScope.choices)
    code = django_filters.ChoiceFilter(label=_("Right"), method="granting", choices=all_labels())
    tenant = LabelledChoiceFilter(label=_("Tenant"), queryset=_tenants)

    class Meta:
        model = Role
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is None or not is_platform_staff(self.request.user):
            del self.filters["tenant"]

    def of_kind(self, roles: QuerySet[Role], name: str, value: str) -> QuerySet[Role]:
        """Built-in or own."""
        return roles.exclude(key="") if value == "built_in" else roles.filter(key="")

    def of_scope(self, roles: QuerySet[Role], name: str, value: str) -> QuerySet[Role]:
        """The scope of built-in ones is in the code."""
        keys = [key for key, scope in ROLE_SCOPES.items() if scope == value]
        return roles.filter(Q(key__in=keys) | Q(key="", scope=value))

    def granting(self, roles: QuerySet[Role], name: str, value: str) -> QuerySet[Role]:
        """Roles that grant a right."""
        return roles.filter(holding(value))

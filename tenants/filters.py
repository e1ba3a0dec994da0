"""Filters of the lists of tenants and of tenant groups."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from tenants.models import AllowedAddress, Tenant, TenantGroup
from tenants.selectors import groups_open_to


def _groups(request: Any) -> QuerySet[TenantGroup]:
    return groups_open_to(request.user) if request is not None else TenantGroup.objects.none()


class TenantFilter(django_filters.FilterSet):
    """Name or short name, state, group. Deleted tenants show only when that state is asked for."""

    q = django_filters.CharFilter(method="named", label=_("Name"))
    state = django_filters.ChoiceFilter(choices=Tenant.State.choices, label=_("State"))
    group = django_filters.ModelChoiceFilter(field_name="groups", queryset=_groups, label=_("Group"))

    class Meta:
        model = Tenant
        fields: list[str] = []

    def named(self, rows: QuerySet[Tenant], _name: str, value: str) -> QuerySet[Tenant]:
        """Either name."""
        return rows.filter(Q(name__icontains=value) | Q(slug__icontains=value))

    def filter_queryset(self, queryset: Any) -> Any:
        """Without the deleted ones, unless they are asked for."""
        rows = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data.get("state") else rows.exclude(state=Tenant.State.DELETED)


class AddressFilter(django_filters.FilterSet):
    """Network, port or note, by a part of them."""

    q = django_filters.CharFilter(method="named", label=_("Network, port or note"), max_length=200)

    class Meta:
        model = AllowedAddress
        fields: list[str] = []

    def named(self, rows: QuerySet[AllowedAddress], _name: str, value: str) -> QuerySet[AllowedAddress]:
        """Any of the three."""
        port = Q(port=int(value)) if value.isascii() and value.isdigit() and len(value) < 6 else Q(pk=None)
        return rows.filter(Q(cidr__startswith=value) | Q(note__icontains=value) | port)


class GroupFilter(django_filters.FilterSet):
    """Name."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))

    class Meta:
        model = TenantGroup
        fields: list[str] = []

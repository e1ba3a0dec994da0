"""Filters of the list of tenants."""

import django_filters
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant


class TenantFilter(django_filters.FilterSet):
    """Name and state."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    state = django_filters.ChoiceFilter(choices=Tenant.State.choices, label=_("State"))

    class Meta:
        model = Tenant
        fields: list[str] = []

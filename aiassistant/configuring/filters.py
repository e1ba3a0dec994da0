"""Filters of prices and default engines."""

from typing import Any

import django_filters
from django.utils.translation import gettext_lazy as _

from aiassistant.models import AIEngine, DefaultEngine, EnginePrice
from tenants.models import Tenant
from tenants.selectors import visible_tenants


class PriceFilter(django_filters.FilterSet):
    """Model, and days from which rows hold."""

    q = django_filters.CharFilter(field_name="model_pattern", lookup_expr="icontains", label=_("Model"), max_length=120)
    since = django_filters.DateFilter(field_name="valid_from", lookup_expr="gte", label=_("From"))

    class Meta:
        model = EnginePrice
        fields: list[str] = []


class DefaultFilter(django_filters.FilterSet):
    """Tenant and engine."""

    tenant = django_filters.ModelChoiceFilter(queryset=Tenant.objects.none(), label=_("Tenant"))
    engine = django_filters.ModelChoiceFilter(queryset=AIEngine.objects.order_by("name"), label=_("Engine"))

    class Meta:
        model = DefaultEngine
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["tenant"].queryset = visible_tenants(self.request.user).order_by("name")

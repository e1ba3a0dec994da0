"""Filters of the list of custom fields."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from customfields.models import Attribute, CustomField, Type


class FieldFilter(django_filters.FilterSet):
    """Name or key, type, whose it is, status, display group, right."""

    q = django_filters.CharFilter(label=_("Name or key"), method="by_text", max_length=64)
    type = django_filters.ChoiceFilter(choices=Type.choices, label=_("Type"))
    scope = django_filters.ChoiceFilter(
        choices=[("global", _("All tenants")), ("tenant", _("One tenant"))], label=_("Scope"), method="by_scope"
    )
    status = django_filters.ChoiceFilter(
        choices=[("enabled", _("Enabled")), ("disabled", _("Disabled"))], label=_("Status"), method="by_status"
    )
    group = django_filters.CharFilter(label=_("Display group"), lookup_expr="iexact", max_length=64)
    attribute = django_filters.ChoiceFilter(choices=Attribute.choices, label=_("Right"))

    class Meta:
        model = CustomField
        fields: list[str] = []

    def by_text(self, queryset: QuerySet[CustomField], name: str, value: str) -> QuerySet[CustomField]:
        """In either."""
        return queryset.filter(Q(name__icontains=value) | Q(key__icontains=value))

    def by_scope(self, queryset: QuerySet[CustomField], name: str, value: str) -> QuerySet[CustomField]:
        """Of all, or of one."""
        return queryset.filter(tenant__isnull=value == "global")

    def by_status(self, queryset: QuerySet[CustomField], name: str, value: str) -> QuerySet[CustomField]:
        """Enabled or not."""
        return queryset.filter(enabled=value == "enabled")

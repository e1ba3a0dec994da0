"""Filters of lists of engines."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from engines.models import Visibility

STATUS = [("enabled", _("Enabled")), ("disabled", _("Disabled")), ("paused", _("Paused"))]


class EngineFilter(django_filters.FilterSet):
    """Name, type, status and visibility."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    engine_type = django_filters.ChoiceFilter(label=_("Engine"))
    status = django_filters.ChoiceFilter(choices=STATUS, label=_("Status"), method="by_status")
    visibility = django_filters.ChoiceFilter(choices=Visibility.choices, label=_("Visibility"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The form is made of the filters at its first use.
        self.filters["engine_type"].extra["choices"] = self.queryset.model.family.choices()

    def by_status(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """A paused engine is enabled, but waits for somebody to mend its settings."""
        if value == "paused":
            return queryset.filter(paused_at__isnull=False)
        return queryset.filter(enabled=value == "enabled")

"""Filters of the list of engines."""

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from transcription.models import SpeechEngine, Visibility
from transcription.registry import engine_choices

STATUS = [("enabled", _("Enabled")), ("disabled", _("Disabled")), ("paused", _("Paused"))]


class EngineFilter(django_filters.FilterSet):
    """Name, type, status and visibility."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    engine_type = django_filters.ChoiceFilter(choices=engine_choices, label=_("Engine"))
    status = django_filters.ChoiceFilter(choices=STATUS, label=_("Status"), method="by_status")
    visibility = django_filters.ChoiceFilter(choices=Visibility.choices, label=_("Visibility"))

    class Meta:
        model = SpeechEngine
        fields: list[str] = []

    def by_status(self, queryset: QuerySet[SpeechEngine], name: str, value: str) -> QuerySet[SpeechEngine]:
        """A paused engine is enabled, but waits for somebody to mend its settings."""
        if value == "paused":
            return queryset.filter(paused_at__isnull=False)
        return queryset.filter(enabled=value == "enabled")

"""The filters of the list of languages."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from transcription.languages.models import Language


class LanguageFilter(django_filters.FilterSet):
    """Name or tag by a part of them; status."""

    q = django_filters.CharFilter(method="named", label=_("Name or tag"), max_length=60)
    status = django_filters.ChoiceFilter(
        method="in_status", label=_("Status"), choices=[("enabled", _("Enabled")), ("disabled", _("Disabled"))]
    )

    class Meta:
        model = Language
        fields: list[str] = []

    def named(self, rows: QuerySet[Language], _name: str, value: str) -> QuerySet[Language]:
        """Either of the two."""
        return rows.filter(Q(name__icontains=value) | Q(code__istartswith=value))

    def in_status(self, rows: QuerySet[Language], _name: str, value: str) -> QuerySet[Language]:
        """Those that new tasks may name, or those they may not."""
        return rows.filter(enabled=value == "enabled")

"""Filters of rules and of their history."""

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alerts.models import AlertRule, Firing, Measure


class RuleFilter(django_filters.FilterSet):
    """Name, what is watched, status."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"), max_length=120)
    measure = django_filters.ChoiceFilter(choices=Measure.choices, label=_("Watches"))
    status = django_filters.ChoiceFilter(
        choices=[
            ("firing", _("Firing")),
            ("snoozed", _("Snoozed")),
            ("enabled", _("Enabled")),
            ("disabled", _("Disabled")),
        ],
        label=_("Status"),
        method="by_status",
    )

    class Meta:
        model = AlertRule
        fields: list[str] = []

    def by_status(self, queryset: QuerySet[AlertRule], name: str, value: str) -> QuerySet[AlertRule]:
        """Firing and snoozed rules are enabled ones."""
        if value == "firing":
            return queryset.filter(pk__in=Firing.objects.filter(state="firing").values("rule"))
        if value == "snoozed":
            return queryset.filter(snoozed_until__gt=timezone.now())
        return queryset.filter(enabled=value == "enabled")


class FiringFilter(django_filters.FilterSet):
    """Rule, status, text."""

    rule = django_filters.NumberFilter(
        field_name="rule_id", min_value=1, max_value=2**31 - 1, decimal_places=0, label=_("Number of the rule")
    )
    measure = django_filters.ChoiceFilter(field_name="rule__measure", choices=Measure.choices, label=_("Watches"))
    state = django_filters.ChoiceFilter(
        choices=[("firing", _("Firing")), ("resolved", _("Resolved"))], label=_("Status")
    )
    q = django_filters.CharFilter(label=_("Text"), max_length=120, method="by_text")

    class Meta:
        model = Firing
        fields: list[str] = []

    def by_text(self, queryset: QuerySet[Firing], name: str, value: str) -> QuerySet[Firing]:
        """In the name of the rule or in what was found."""
        return queryset.filter(Q(rule__name__icontains=value) | Q(text__icontains=value))

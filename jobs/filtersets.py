"""Filters of the job pages. (``jobs.filters`` are the filtering criteria of the jobs themselves.)"""

import re
import uuid
from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.filters import DayFilter, LabelledChoiceFilter
from core.outcomes import Reason
from jobs.models import JobDefinition, LogEntry, Record, Schedule
from jobs.places import at_place
from queues.models import AccessScope
from tenants.selectors import visible_tenants

NO_ERROR = "none"
MOST_PLACES = 5
HEX = re.compile(r"[0-9a-f]{1,32}\Z")


def uuid_range(text: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The first and last UUID that begin as ``text``. Raises ValidationError when it is no part of a UUID."""
    digits = text.strip().lower().replace("-", "")
    if not HEX.match(digits):
        raise ValidationError(_("A record id has the digits 0–9 and a–f; its beginning is enough."))
    return uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))


class RecordIdField(forms.CharField):
    """The beginning of a record id; the value is the range of ids."""

    def clean(self, value: Any) -> Any:
        """None when blank."""
        text = super().clean(value)
        return uuid_range(text) if text else None


class RecordIdFilter(django_filters.Filter):
    """Search by Record ID (domain M9, M11); uses the index, unlike a search in text."""

    field_class = RecordIdField

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Ids in the range."""
        if value is None:
            return qs
        return qs.filter(**{f"{self.field_name}__gte": value[0], f"{self.field_name}__lte": value[1]})


class JobFilter(django_filters.FilterSet):
    """Name, status, scope and schedule."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=gettext_lazy("Name"))
    status = django_filters.ChoiceFilter(
        choices=[
            ("enabled", gettext_lazy("Enabled")),
            ("paused", gettext_lazy("Paused")),
            ("disabled", gettext_lazy("Disabled")),
        ],
        label=gettext_lazy("Status"),
        method="by_status",
    )
    access_scope = django_filters.ChoiceFilter(choices=AccessScope.choices, label=gettext_lazy("Access scope"))
    schedule = django_filters.ChoiceFilter(choices=Schedule.choices, label=gettext_lazy("Schedule"))

    class Meta:
        model = JobDefinition
        fields: list[str] = []

    def by_status(self, queryset: QuerySet[JobDefinition], name: str, value: str) -> QuerySet[JobDefinition]:
        """As ``JobDefinition.status`` says it."""
        if value == "disabled":
            return queryset.filter(enabled=False)
        return queryset.filter(enabled=True, paused_at__isnull=value == "enabled")


def _tenants(request: Any) -> Any:
    return visible_tenants(request.user).order_by("name")


class RecordFilter(django_filters.FilterSet):
    """Date range, status, record id, reason, tenant (domain M9). A record that was never processed counts as created."""

    date_from = DayFilter(field_name="moment", lookup_expr="gte", label=gettext_lazy("From"))
    date_to = DayFilter(field_name="moment", lookup_expr="lt", label=gettext_lazy("To"))
    status = django_filters.ChoiceFilter(field_name="state", choices=Record.State.choices, label=gettext_lazy("Status"))
    record_id = RecordIdFilter(field_name="record_id", label=gettext_lazy("Search by Record ID"))
    reason = django_filters.ChoiceFilter(choices=Reason.choices, label=gettext_lazy("Reason"), method="by_reason")
    tenant = LabelledChoiceFilter(queryset=_tenants, label=gettext_lazy("Tenant"))
    place = django_filters.ChoiceFilter(
        choices=[(str(number), str(number)) for number in range(1, MOST_PLACES + 1)],
        label=gettext_lazy("Engine"),
        widget=forms.HiddenInput,
        method="by_place",
    )
    signature = django_filters.CharFilter(label=gettext_lazy("Error"), max_length=12, widget=forms.HiddenInput)

    class Meta:
        model = Record
        fields: list[str] = []

    def __init__(self, *args: Any, places: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places
        if places:
            # Where the job has several engines, they are offered by name.
            named = [(str(number), f"{number}. {name}") for number, name in enumerate(places, start=1)]
            self.filters["place"].extra |= {"choices": named, "widget": forms.Select}

    def by_place(self, queryset: QuerySet[Record], name: str, value: str) -> QuerySet[Record]:
        """Which of the job's engines is at it, or was; counted from 1. Later ones have an index."""
        return queryset.filter(at_place(int(value) - 1, len(self.places)))

    def filter_queryset(self, queryset: QuerySet[Record]) -> QuerySet[Record]:
        """Give the date filters their moment only when one of them is used: otherwise the index decides alone."""
        dated = self.form.cleaned_data.get("date_from") or self.form.cleaned_data.get("date_to")
        if dated:
            queryset = queryset.alias(moment=Coalesce("last_processed_at", "created_at"))
        return super().filter_queryset(queryset)

    def whatever(self, name: str) -> QuerySet[Record]:
        """What matches all filters but the one called ``name``; only for valid filters."""
        given = self.form.cleaned_data
        self.form.cleaned_data = {key: value for key, value in given.items() if key != name}
        try:
            return self.filter_queryset(self.queryset.all())
        finally:
            self.form.cleaned_data = given

    def by_reason(self, queryset: QuerySet[Record], name: str, value: str) -> QuerySet[Record]:
        """The code, also with the clause that "filtered" carries. That it is not empty leads to the index of reasons."""
        return queryset.exclude(reason="").filter(Q(reason=value) | Q(reason__startswith=f"{value}:"))


class DeadLetterFilter(RecordFilter):
    """As for all records; without a status only what failed. A cause is a reason code with its clause."""

    status = django_filters.ChoiceFilter(
        choices=[
            ("failed", gettext_lazy("Failed")),
            ("skipped", gettext_lazy("Skipped")),
            ("any", gettext_lazy("Failed and skipped")),
        ],
        empty_label=None,
        label=gettext_lazy("Status"),
        method="by_status",
    )
    reason = None
    place = None
    cause = django_filters.CharFilter(field_name="reason", max_length=80, label=gettext_lazy("Cause"))
    signature = django_filters.CharFilter(
        label=gettext_lazy("Error"), max_length=12, widget=forms.HiddenInput, method="by_signature"
    )

    def by_signature(self, queryset: QuerySet[Record], name: str, value: str) -> QuerySet[Record]:
        """What its error has in common with others; ``NO_ERROR`` finds those without one."""
        return queryset.filter(signature="" if value == NO_ERROR else value)

    def filter_queryset(self, queryset: QuerySet[Record]) -> QuerySet[Record]:
        """Failed is what counts as dead."""
        if not self.form.cleaned_data.get("status"):
            queryset = queryset.filter(state=Record.State.FAILED)
        return super().filter_queryset(queryset)

    def by_status(self, queryset: QuerySet[Record], name: str, value: str) -> QuerySet[Record]:
        """One of the two, or both."""
        return queryset.filter(state=value) if value != "any" else queryset


class LogFilter(django_filters.FilterSet):
    """Severity, record id, text, run (domain M11)."""

    severity = django_filters.ChoiceFilter(choices=LogEntry.Severity.choices, label=gettext_lazy("Severity"))
    record_id = RecordIdFilter(field_name="record_uuid", label=gettext_lazy("Search by Record ID"))
    q = django_filters.CharFilter(
        field_name="message", lookup_expr="icontains", label=gettext_lazy("Search by Text"), max_length=200
    )
    run = django_filters.NumberFilter(
        field_name="run__number",
        label=gettext_lazy("Run"),
        min_value=1,
        max_value=2**31 - 1,
        decimal_places=0,
    )

    view = django_filters.ChoiceFilter(
        choices=[("text", "text")], widget=forms.HiddenInput, method="leave", label=gettext_lazy("View")
    )

    class Meta:
        model = LogEntry
        fields: list[str] = []

    def leave(self, queryset: QuerySet[LogEntry], name: str, value: str) -> QuerySet[LogEntry]:
        """How the lines are shown says nothing about which."""
        return queryset

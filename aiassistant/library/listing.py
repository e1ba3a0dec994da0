"""Filters of the lists of tasks."""

import uuid

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from aiassistant.library.models import AITask, TaskActivation

STATES = [("enabled", _("Enabled")), ("disabled", _("Disabled"))]


class TaskFilter(django_filters.FilterSet):
    """Title or key, whose it is, status."""

    q = django_filters.CharFilter(label=_("Title or key"), method="by_text", max_length=80)
    scope = django_filters.ChoiceFilter(
        choices=[("library", _("Library")), ("tenant", _("One tenant"))], label=_("Scope"), method="by_scope"
    )
    status = django_filters.ChoiceFilter(choices=STATES, label=_("Status"), method="by_status")

    class Meta:
        model = AITask
        fields: list[str] = []

    def by_text(self, queryset: "QuerySet[AITask]", name: str, value: str) -> "QuerySet[AITask]":
        """In either."""
        return queryset.filter(Q(title__icontains=value) | Q(key__icontains=value))

    def by_scope(self, queryset: "QuerySet[AITask]", name: str, value: str) -> "QuerySet[AITask]":
        """Of all, or of one."""
        return queryset.filter(tenant__isnull=value == "library")

    def by_status(self, queryset: "QuerySet[AITask]", name: str, value: str) -> "QuerySet[AITask]":
        """The owner's switch."""
        return queryset.filter(enabled=value == "enabled")


class TenantTaskFilter(django_filters.FilterSet):
    """Title or key; on or off for the tenant, which the page says by ``on``."""

    q = django_filters.CharFilter(label=_("Title or key"), method="by_text", max_length=80)
    state = django_filters.ChoiceFilter(choices=STATES, label=_("Status"), method="by_state")

    class Meta:
        model = AITask
        fields: list[str] = []

    by_text = TaskFilter.by_text

    def by_state(self, queryset: "QuerySet[AITask]", name: str, value: str) -> "QuerySet[AITask]":
        """What the tenant chose; rows carry ``on`` (``with_state``)."""
        return queryset.filter(Q(on=value == "enabled"))


def with_state(tasks: "QuerySet[AITask]", tenant_id: uuid.UUID) -> "QuerySet[AITask]":
    """Tasks with ``on``: whether the tenant switched each on."""
    chosen = TaskActivation.objects.filter(task=OuterRef("pk"), tenant=tenant_id, enabled=True)
    return tasks.annotate(on=Exists(chosen))

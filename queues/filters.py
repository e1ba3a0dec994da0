"""Filters of the list of queues."""

import django_filters
from django.utils.translation import gettext_lazy as _

from queues.events import RecordType
from queues.models import ProcessingQueue, QueueScope


class QueueFilter(django_filters.FilterSet):
    """Name, status, scope, record type and replication."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    enabled = django_filters.ChoiceFilter(
        choices=[("true", _("Enabled")), ("false", _("Disabled")), ("paused", _("Paused"))],
        label=_("Status"),
        method="by_status",
    )
    scope = django_filters.ChoiceFilter(choices=QueueScope.choices, label=_("Scope"))
    record_type = django_filters.ChoiceFilter(choices=RecordType.choices, label=_("Record type"))

    replicated = django_filters.ChoiceFilter(
        choices=[("sent", _("Sent to the pairing server")), ("received", _("Received from another installation"))],
        label=_("Replicated"),
        method="by_replication",
    )

    class Meta:
        model = ProcessingQueue
        fields: list[str] = []

    def by_status(self, queryset, name, value):  # type: ignore[no-untyped-def]
        """Enabled, disabled or paused queues."""
        if value == "paused":
            return queryset.filter(paused=True)
        return queryset.filter(enabled=value == "true")

    def by_replication(self, queryset, name, value):  # type: ignore[no-untyped-def]
        """What is sent, or what follows another installation."""
        return queryset.filter(replicate=True) if value == "sent" else queryset.filter(copy__state="attached")

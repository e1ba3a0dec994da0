"""Filters of the conflicts."""

import django_filters
from django.utils.translation import gettext_lazy as _

from queues.replication.models import ReplicationConflict


class ConflictFilter(django_filters.FilterSet):
    """Name, state and reason."""

    q = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label=_("Name"))
    state = django_filters.ChoiceFilter(choices=ReplicationConflict.State.choices, label=_("Status"))
    reason = django_filters.ChoiceFilter(choices=ReplicationConflict.Reason.choices, label=_("Reason"))

    class Meta:
        model = ReplicationConflict
        fields: list[str] = []

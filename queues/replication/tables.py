"""The list of conflicts."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.translation import gettext_lazy

from core.tables import PageTable, SelectionColumn, TextColumn, TimeColumn, badge, link
from queues.replication.models import ReplicationConflict

BADGES = {"open": "warning", "taken": "done", "kept": "done", "renamed": "done", "superseded": "disabled"}


class ConflictTable(PageTable):
    """Name, origin, what happened there, why it was not applied, state."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Queue"))
    origin = TextColumn(accessor="copy__origin_name", verbose_name=gettext_lazy("Origin"))
    kind = tables.Column(accessor="get_kind_display", verbose_name=gettext_lazy("At the origin"), order_by="kind")
    reason = tables.Column(accessor="get_reason_display", verbose_name=gettext_lazy("Reason"), order_by="reason")
    state = tables.Column(verbose_name=gettext_lazy("Status"))
    created_at = TimeColumn(verbose_name=gettext_lazy("Received"))
    decided_at = TimeColumn(verbose_name=gettext_lazy("Decided"))
    decided_by = TextColumn(verbose_name=gettext_lazy("Decided by"))

    class Meta(PageTable.Meta):
        order_by = "-created_at"

    def __init__(self, *args: Any, may_edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection",))

    def render_name(self, value: str, record: ReplicationConflict) -> str:
        """A link to both sides."""
        return link(reverse("pairing:conflict", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_state(self, record: ReplicationConflict) -> str:
        """A badge."""
        return badge(BADGES[record.state], record.get_state_display())

    def value_state(self, record: ReplicationConflict) -> str:
        """The word."""
        return record.get_state_display()

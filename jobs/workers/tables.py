"""The list of workers, with its filters."""

from typing import Any

import django_filters
import django_tables2 as tables
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import (
    EMPTY,
    ActionsColumn,
    NumberColumn,
    PageTable,
    SelectionColumn,
    TextColumn,
    TimeColumn,
    badge,
    links,
)
from jobs.models import Pass
from jobs.workers.models import DEAD_AFTER, Worker

STATES = {
    "running": gettext_lazy("Running"),
    "stopping": gettext_lazy("Stopping"),
    "stopped": gettext_lazy("Stopped"),
    "dead": gettext_lazy("Dead"),
}
LOOKS = {"running": "active", "stopping": "paused", "stopped": "disabled", "dead": "error"}


class WorkerFilter(django_filters.FilterSet):
    """Name or host, and status."""

    q = django_filters.CharFilter(label=gettext_lazy("Name or host"), max_length=200, method="by_name")
    status = django_filters.ChoiceFilter(
        choices=[("alive", gettext_lazy("Alive")), *STATES.items()], label=gettext_lazy("Status"), method="by_status"
    )

    class Meta:
        model = Worker
        fields: list[str] = []

    def by_name(self, queryset: QuerySet[Worker], name: str, value: str) -> QuerySet[Worker]:
        """Part of either."""
        return queryset.filter(Q(name__icontains=value) | Q(host__icontains=value))

    def by_status(self, queryset: QuerySet[Worker], name: str, value: str) -> QuerySet[Worker]:
        """As ``Worker.status`` says it."""
        stopped, dead = Q(state=Worker.State.STOPPED), Q(heartbeat_at__lt=timezone.now() - DEAD_AFTER)
        asked = Q(state=Worker.State.STOPPING) | Q(stop_requested_at__isnull=False)
        alive = ~stopped & ~dead
        chosen = {
            "stopped": stopped,
            "dead": ~stopped & dead,
            "alive": alive,
            "stopping": alive & asked,
            "running": alive & ~asked,
        }
        return queryset.filter(chosen[value])


class WorkerTable(PageTable):
    """Where a worker runs, what it is, what it holds, and whether it lives (screens §4.5)."""

    selection = SelectionColumn()
    name = TextColumn(verbose_name=gettext_lazy("Worker"), ltr=True)
    host = TextColumn(verbose_name=gettext_lazy("Host"), ltr=True, visible=False)
    pid = NumberColumn(verbose_name=gettext_lazy("Process"))
    state = tables.Column(verbose_name=gettext_lazy("Status"))
    version = TextColumn(verbose_name=gettext_lazy("Version"), ltr=True)
    pool = tables.Column(verbose_name=gettext_lazy("Pool"))
    prefetch = NumberColumn(verbose_name=gettext_lazy("Prefetch"), visible=False)
    work = tables.Column(accessor="pk", verbose_name=gettext_lazy("At work on"), orderable=False)
    in_hand = NumberColumn(accessor="pk", verbose_name=gettext_lazy("Records in hand"), orderable=False)
    heartbeat_at = TimeColumn(verbose_name=gettext_lazy("Last heartbeat"), seconds=True)
    started_at = TimeColumn(verbose_name=gettext_lazy("Started"), seconds=True)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "-started_at"

    def __init__(self, *args: Any, may_edit: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))

    def render_state(self, record: Worker) -> str:
        """With dead ones, which cannot say so themselves."""
        return badge(LOOKS[record.status], str(STATES[record.status]))

    def value_state(self, record: Worker) -> str:
        """One word."""
        return str(STATES[record.status])

    def render_pool(self, record: Worker) -> str:
        """How it divides itself."""
        return format_html('<bdi dir="ltr">{} × {}</bdi>', record.processes, record.pool)

    def value_pool(self, record: Worker) -> str:
        """The same."""
        return f"{record.processes} × {record.pool}"

    def render_work(self, record: Worker) -> str:
        """The job of each pass that is alive, with the stage."""
        if not _passes(record):
            return EMPTY
        lines = [(reverse("jobs:job", args=[one.job_id]), one.job.name, one.stage) for one in _passes(record)]
        return format_html_join(" ", '<a href="{}"><bdi>{}</bdi></a> <span class="p-soft">{}</span>', lines)

    def value_work(self, record: Worker) -> str:
        """The names of the jobs."""
        return ", ".join(one.job.name for one in _passes(record))

    def render_in_hand(self, record: Worker) -> int:
        """As of the newest heartbeats of its passes."""
        return sum(one.in_hand for one in _passes(record))

    def render_actions(self, record: Worker) -> str:
        """Stop gracefully, while it runs."""
        if record.status != "running":
            return EMPTY
        return links([(reverse("workers:stop", args=[record.pk]), _("Stop gracefully"))])


def _passes(record: Worker) -> list[Pass]:
    return record.at_work  # type: ignore[attr-defined,no-any-return]

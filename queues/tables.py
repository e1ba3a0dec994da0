"""The list of processing queues."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import ActionsColumn, NumberColumn, PageTable, SelectionColumn, TimeColumn, badge, link, links
from queues.events import Event
from queues.models import ProcessingQueue, QueueScope


class QueueTable(PageTable):
    """Name, status, scope, record type, events, pending, oldest age and the jobs that read the queue."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    enabled = tables.Column(verbose_name=gettext_lazy("Status"))
    scope = tables.Column(verbose_name=gettext_lazy("Scope"))
    record_type = tables.Column(
        accessor="get_record_type_display",
        verbose_name=gettext_lazy("Record type"),
        visible=False,
        order_by="record_type",
    )
    events = tables.Column(verbose_name=gettext_lazy("Events"), orderable=False)
    pending = NumberColumn(verbose_name=gettext_lazy("Pending"))
    oldest = TimeColumn(verbose_name=gettext_lazy("Oldest"), ago=True)
    jobs = tables.Column(accessor="pk", verbose_name=gettext_lazy("Read by"), orderable=False, empty_values=())
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(self, *args: Any, may_edit: bool = False, **kwargs: Any) -> None:
        self.may_edit = may_edit
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))

    def render_name(self, value: str, record: ProcessingQueue) -> str:
        """A link to the form for those who may edit."""
        return link(reverse("queues:queue", args=[record.pk]), value) if self.may_edit else value

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, value: bool) -> str:
        """A badge."""
        return badge("enabled" if value else "disabled")

    def value_enabled(self, value: bool) -> str:
        """One word."""
        return _("Enabled") if value else _("Disabled")

    def render_scope(self, record: ProcessingQueue) -> str:
        """The scope with the tenant or groups that it names."""
        named = []
        if record.scope == QueueScope.ONE_TENANT and record.tenant is not None:
            named = [record.tenant.name]
        elif record.scope == QueueScope.TENANT_GROUPS:
            named = [group.name for group in record.tenant_groups.all()]
        text = record.get_scope_display()
        return f"{text}: {', '.join(named)}" if named else text

    def render_events(self, value: list[str]) -> str:
        """The guide's names of the events."""
        return ", ".join(str(Event(event).label) for event in value if event in Event.values)

    def render_jobs(self, record: ProcessingQueue) -> str:
        """The jobs, or a warning: what nobody reads only grows."""
        names = [job.name for job in record.jobs.all()]  # type: ignore[attr-defined]
        if not names:
            return badge("warning", _("No job"), _("No job reads this queue."))
        return format_html_join(", ", "<bdi>{}</bdi>", ((name,) for name in names))

    def value_jobs(self, record: ProcessingQueue) -> str:
        """The names."""
        return ", ".join(job.name for job in record.jobs.all())  # type: ignore[attr-defined]

    def render_actions(self, record: ProcessingQueue) -> str:
        """Purge and delete; the name leads to the form."""
        return links(
            [
                (reverse("queues:purge", args=[record.pk]), _("Purge")),
                (reverse("queues:delete", args=[record.pk]), _("Delete")),
            ]
        )

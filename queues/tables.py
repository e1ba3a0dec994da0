"""The list of processing queues."""

from collections.abc import Mapping
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import EMPTY, ActionsColumn, NumberColumn, PageTable, SelectionColumn, TimeColumn, badge, link, links
from queues.describing import rate_text, replication_text, scope_text, state_badges, state_words
from queues.events import event_label
from queues.models import ProcessingQueue
from queues.readers import Reading


class QueueTable(PageTable):
    """Name, status, scope, record type, events, pending, oldest age, rates, readers, dead letters, replication."""

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
    came = NumberColumn(verbose_name=gettext_lazy("In / min"))
    went = NumberColumn(verbose_name=gettext_lazy("Out / min"))
    jobs = tables.Column(accessor="pk", verbose_name=gettext_lazy("Read by"), orderable=False, empty_values=())
    dead = NumberColumn(accessor="pk", verbose_name=gettext_lazy("Dead letters"), orderable=False)
    replicate = tables.Column(verbose_name=gettext_lazy("Replicated"), empty_values=())
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(
        self,
        *args: Any,
        readings: Mapping[int, Reading],
        may_edit: bool = False,
        own: frozenset[int] | None = None,
        **kwargs: Any,
    ) -> None:
        # Of ``own`` queues alone the viewer may change the settings; None, of all.
        self.readings, self.own = readings, own
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))

    def render_name(self, value: str, record: ProcessingQueue) -> str:
        """A link to the queue's page."""
        return link(reverse("queues:queue", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, record: ProcessingQueue) -> str:
        """Badges."""
        return format_html_join(" ", "{}", ((shown,) for shown in state_badges(record)))

    def value_enabled(self, record: ProcessingQueue) -> str:
        """The words."""
        return ", ".join(word for _state, word, _note in state_words(record))

    def render_scope(self, record: ProcessingQueue) -> str:
        """The scope with the tenant or groups that it names."""
        return scope_text(record)

    def render_events(self, value: list[str]) -> str:
        """The guide's names of the events."""
        return ", ".join(event_label(event) for event in value)

    def reading_of(self, record: ProcessingQueue) -> Reading:
        """Who reads the queue."""
        return self.readings.get(record.pk, Reading())

    def render_jobs(self, record: ProcessingQueue) -> str:
        """The jobs with their state, and a warning: what nobody reads only grows, two readers rob each other."""
        reading = self.reading_of(record)
        jobs = [(link(reader.url, reader.name), badge(reader.state, reader.label)) for reader in reading.readers]
        label = _("Several jobs") if any(reader.reads for reader in reading.readers) else _("No job")
        said = [(_("Not filled"), text) for text in reading.about_filling(record)]
        said += [(label, text) for text in reading.about_reading()]
        warnings = [(badge("warning", short, text),) for short, text in said]
        return format_html_join("", "{} {}<br>", jobs) + format_html_join(" ", "{}", warnings)

    def value_jobs(self, record: ProcessingQueue) -> str:
        """The names."""
        return ", ".join(reader.name for reader in self.reading_of(record).readers)

    def render_dead(self, record: ProcessingQueue) -> str:
        """The number, leading to their causes."""
        reading = self.reading_of(record)
        return link(reverse("dead_letters:list", args=[record.pk]), reading.dead_label) if reading.dead else "0"

    def value_dead(self, record: ProcessingQueue) -> str:
        """The number."""
        return self.reading_of(record).dead_label

    def render_pending(self, value: int) -> str:
        """With separators: there may be millions."""
        return f"{value:,}"

    def value_pending(self, value: int) -> int:
        """The bare number."""
        return value

    def render_came(self, value: float) -> str:
        """Items a minute."""
        return rate_text(value)

    def render_went(self, value: float) -> str:
        """Items a minute."""
        return rate_text(value)

    def render_replicate(self, record: ProcessingQueue) -> str:
        """Whether it is sent, or where it comes from."""
        return replication_text(record)

    def render_actions(self, record: ProcessingQueue) -> str:
        """Edit; the name leads to the page with all the rest."""
        if self.own is not None and record.pk not in self.own:
            return EMPTY
        return links([(reverse("queues:edit", args=[record.pk]), _("Edit"))])

"""Lists of engines."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.tables import EMPTY, ActionsColumn, NumberColumn, PageTable, SelectionColumn, badge, link, links, show_time
from engines.models import ConnectionTest, PriceRow
from engines.prices import today
from engines.selectors import failing_text
from jobs.circuits.models import Circuit


class EngineTable(PageTable):
    """Name, type, status, visibility, last test and the jobs that use the engine (domain T8)."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    engine_type = tables.Column(verbose_name=gettext_lazy("Engine"))
    enabled = tables.Column(verbose_name=gettext_lazy("Status"))
    visibility = tables.Column(verbose_name=gettext_lazy("Visibility"))
    last_test_at = tables.Column(verbose_name=gettext_lazy("Last test"))
    jobs = tables.Column(accessor="pk", verbose_name=gettext_lazy("Used by"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(
        self,
        *args: Any,
        jobs: Mapping[int, Sequence[tuple[int, str]]],
        circuits: Mapping[int, Circuit],
        may_edit: bool,
        **kwargs: Any,
    ) -> None:
        self.jobs, self.circuits, self.may_edit = jobs, circuits, may_edit
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))

    def render_name(self, value: str, record: Any) -> str:
        """To how it fares, for all who see the list."""
        return link(reverse(f"{record.family.namespace}:overview", args=[record.pk]), value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_engine_type(self, value: str, record: Any) -> str:
        """The label of the type."""
        kind = record.family.types().get(value)
        return str(kind.label) if kind else value

    def render_enabled(self, record: Any) -> str:
        """Enabled, disabled, or paused or failing with the reason."""
        circuit = self.circuits.get(record.pk)
        if circuit is not None and record.paused_at is None:
            return format_html(
                '{}<br><span class="p-soft"><bdi>{}</bdi><br>{} {}<br>{} {}</span>',
                badge("error", _("Failing")),
                failing_text(circuit),
                _("Since"),
                show_time(circuit.opened_at, seconds=True),
                _("Next probe"),
                show_time(circuit.probe_at, seconds=True),
            )
        if record.paused_at is not None:
            return format_html('{}<br><span class="p-soft"><bdi>{}</bdi></span>', badge("paused"), record.pause_reason)
        return badge("enabled" if record.enabled else "disabled")

    def value_enabled(self, record: Any) -> str:
        """One word, and the reason of a pause or a stop."""
        circuit = self.circuits.get(record.pk)
        if circuit is not None and record.paused_at is None:
            return f"{_('Failing')}: {circuit.reason} {since_text(circuit)}"
        if record.paused_at is not None:
            return f"{_('Paused')}: {record.pause_reason}"
        return _("Enabled") if record.enabled else _("Disabled")

    def render_visibility(self, record: Any) -> str:
        """Global, or the tenant."""
        return record.tenant.name if record.tenant is not None else record.get_visibility_display()

    def render_last_test_at(self, record: Any) -> str:
        """State and time."""
        state = ConnectionTest.State(record.last_test_state)
        return format_html("{} {}", badge(state.value, str(state.label)), show_time(record.last_test_at))

    def value_last_test_at(self, record: Any) -> str:
        """State and time in plain words."""
        if record.last_test_at is None:
            return ""
        return f"{record.last_test_state} {record.last_test_at.isoformat(timespec='seconds')}"

    def render_jobs(self, record: Any) -> str:
        """Links to the jobs."""
        used = self.jobs.get(record.pk, ())
        return (
            format_html_join(", ", "{}", ((link(reverse("jobs:job", args=[pk]), name),) for pk, name in used)) or EMPTY
        )

    def value_jobs(self, record: Any) -> str:
        """The names."""
        return ", ".join(name for _pk, name in self.jobs.get(record.pk, ()))

    def render_actions(self, record: Any) -> str:
        """Edit, Test Connection, Resume (when paused), Try now and Use again (when failing), Delete. Prices are on its page."""
        actions = [
            (reverse(f"{record.family.namespace}:engine", args=[record.pk]), _("Edit")),
            (reverse(f"{record.family.namespace}:test_start", args=[record.pk]), _("Test Connection")),
        ]
        if record.paused_at is not None:
            actions.append((reverse(f"{record.family.namespace}:resume", args=[record.pk]), _("Resume")))
        elif record.pk in self.circuits:
            actions.append((reverse(f"{record.family.namespace}:try", args=[record.pk]), _("Try now")))
            actions.append((reverse(f"{record.family.namespace}:trust", args=[record.pk]), _("Use again")))
        return links([*actions, (reverse(f"{record.family.namespace}:delete", args=[record.pk]), _("Delete"))])


class PriceColumn(NumberColumn):
    """An amount in the currency of the row."""

    def render(self, value: Decimal | None) -> str:
        """Without zeros at the end."""
        return f"{value.normalize():,f}" if value is not None else EMPTY

    def value(self, value: Decimal | None) -> str:
        """Exactly as stored."""
        return f"{value:f}" if value is not None else ""


class PriceTable(PageTable):
    """From which day, whether it holds today, and the currency; families add their amounts."""

    valid_from = tables.DateColumn(verbose_name=gettext_lazy("Valid from"), format="Y-m-d")
    holds = tables.Column(accessor="pk", verbose_name=gettext_lazy("Status"), orderable=False)
    currency = tables.Column(verbose_name=gettext_lazy("Currency"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "-valid_from"

    def __init__(self, *args: Any, holding: frozenset[int], may_edit: bool, **kwargs: Any) -> None:
        self.holding = holding
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("actions",))

    def render_holds(self, record: PriceRow) -> str:
        """A badge."""
        return badge(*self.status_of(record))

    def value_holds(self, record: PriceRow) -> str:
        """The word."""
        return self.status_of(record)[1]

    def status_of(self, record: PriceRow) -> tuple[str, str]:
        """Coming, holding, or replaced."""
        if record.valid_from > today():
            return "info", _("Coming")
        return ("ok", _("In force")) if record.pk in self.holding else ("disabled", _("Replaced"))

    def render_actions(self, record: Any) -> str:
        """Only what does not hold yet can be deleted."""
        if record.valid_from <= today():
            return ""
        namespace = record.engine.family.namespace
        return links([(reverse(f"{namespace}:price_delete", args=[record.engine_id, record.pk]), _("Delete"))])


def since_text(circuit: Circuit) -> str:
    """Since when, and when the next probe is, in the viewer's zone."""
    return _("Since %(since)s, next probe %(next)s (%(zone)s).") % {
        "since": clock(circuit.opened_at),
        "next": clock(circuit.probe_at),
        "zone": timezone.get_current_timezone_name(),
    }


def clock(moment: datetime | None) -> str:
    """Date and time of day."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else EMPTY

"""The tables of executions and budgets. Figures in files are bare digits; on pages they have separators."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from aiassistant.executing.models import Execution
from aiassistant.rails.budgets import amount_text
from aiassistant.rails.models import Budget
from aiassistant.rails.watching import Pace
from core.money import money_cell, money_text, share
from core.tables import (
    ActionsColumn,
    NumberColumn,
    PageTable,
    SelectionColumn,
    TextColumn,
    TimeColumn,
    badge,
    link,
    links,
)

LOOKS = {"completed": "ok", "failed": "error", "skipped": "disabled"}


class CountColumn(NumberColumn):
    """A whole number."""

    def render(self, value: int) -> str:
        """With separators."""
        return f"{value:,}"

    def value(self, value: int) -> int:
        """Bare digits."""
        return value


class ExecutionTable(PageTable):
    """When, tenant, task, conversation, engine, how it ended, tokens, cost, time; files have model and repairs too."""

    ended_at = TimeColumn(verbose_name=gettext_lazy("Ended"), seconds=True)
    tenant = TextColumn(accessor="tenant__name", verbose_name=gettext_lazy("Tenant"), orderable=False)
    task_label = TextColumn(verbose_name=gettext_lazy("Task"), orderable=False)
    record_id = TextColumn(verbose_name=gettext_lazy("Conversation"), orderable=False, ltr=True)
    engine_name = TextColumn(verbose_name=gettext_lazy("Engine"), orderable=False)
    model = TextColumn(verbose_name=gettext_lazy("Model"), orderable=False, ltr=True, visible=False)
    state = tables.Column(verbose_name=gettext_lazy("Status"), orderable=False)
    reason = tables.Column(verbose_name=gettext_lazy("Reason"), orderable=False)
    attempts = CountColumn(verbose_name=gettext_lazy("Requests"), orderable=False)
    repairs = CountColumn(verbose_name=gettext_lazy("Repairs"), orderable=False, visible=False)
    tokens = CountColumn(verbose_name=gettext_lazy("Tokens"), orderable=False)
    cost_micros = NumberColumn(verbose_name=gettext_lazy("Cost"), orderable=False)
    currency = tables.Column(visible=False)
    latency_ms = NumberColumn(verbose_name=gettext_lazy("Milliseconds"), orderable=False)

    class Meta(PageTable.Meta):
        order_by = "-ended_at"

    def __init__(self, *args: Any, tenants: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if tenants else ("tenant",))

    def render_task_label(self, value: str, record: Execution) -> str:
        """To the execution."""
        return link(reverse("rails:execution", args=[record.pk]), value)

    def value_task_label(self, value: str) -> str:
        """The bare name."""
        return value

    def render_record_id(self, value: Any) -> str:
        """Its beginning; all of it in the title."""
        return format_html('<bdi dir="ltr" class="p-mono" title="{}">{}…</bdi>', value, str(value)[:8])

    def value_record_id(self, value: Any) -> str:
        """All of it."""
        return str(value)

    def render_state(self, record: Execution) -> str:
        """A badge."""
        return badge(LOOKS.get(record.state, "info"), record.get_state_display())

    def value_state(self, record: Execution) -> str:
        """The word."""
        return str(record.get_state_display())

    def render_reason(self, record: Execution) -> str:
        """The sentence, with its detail in the title."""
        return format_html('<span title="{}">{}</span>', record.detail, record.reason_label)

    def value_reason(self, record: Execution) -> str:
        """Sentence and detail."""
        return " · ".join(part for part in (record.reason_label, record.detail) if part)

    def render_cost_micros(self, record: Execution) -> str:
        """With its currency; a dash where no price was known."""
        return money_text(record.cost_micros, record.currency) if record.currency else "–"

    def value_cost_micros(self, record: Execution) -> str:
        """Bare digits; the currency is a column of its own."""
        return money_cell(record.cost_micros) if record.currency else ""

    def render_latency_ms(self, value: int) -> str:
        """With separators."""
        return f"{value:,}"

    def value_latency_ms(self, value: int) -> int:
        """Bare digits."""
        return value


class BudgetTable(PageTable):
    """Name, status, what it counts, how much, how far it is used."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    enabled = tables.Column(verbose_name=gettext_lazy("Status"))
    tenant = TextColumn(accessor="tenant__name", verbose_name=gettext_lazy("Tenant"), empty_values=())
    task = TextColumn(accessor="task__title", verbose_name=gettext_lazy("Task"), empty_values=())
    engine = TextColumn(accessor="engine__name", verbose_name=gettext_lazy("Engine"), empty_values=())
    soft = NumberColumn(verbose_name=gettext_lazy("Warn at"))
    hard = NumberColumn(verbose_name=gettext_lazy("Stop at"))
    used = NumberColumn(accessor="pk", verbose_name=gettext_lazy("Used this month"), orderable=False)
    percent = NumberColumn(accessor="pk", verbose_name=gettext_lazy("Percent"), orderable=False)
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(
        self, *args: Any, paces: dict[int, Pace] | None = None, changeable: frozenset[int] = frozenset(), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs, exclude=() if changeable else ("selection", "actions"))
        self.paces, self.changeable = paces or {}, changeable

    def render_name(self, value: str, record: Budget) -> str:
        """To the form, for those who may change it."""
        if record.pk in self.changeable:
            return link(reverse("rails:budget", args=[record.pk]), value)
        return format_html("<bdi>{}</bdi>", value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_enabled(self, record: Budget) -> str:
        """A badge: stopped, warned, in order."""
        return badge(*self.status_of(record))

    def value_enabled(self, record: Budget) -> str:
        """The word."""
        return self.status_of(record)[1]

    def status_of(self, record: Budget) -> tuple[str, str]:
        """The look and the word, the most pressing first."""
        pace = self.paces.get(record.pk)
        if not record.enabled:
            return "disabled", _("Disabled")
        if pace is not None and record.hard is not None and pace.used >= record.hard:
            return "error", _("Used up")
        if pace is not None and record.soft is not None and pace.used >= record.soft:
            return "warning", _("Warning")
        return "ok", _("In order")

    def render_tenant(self, record: Budget) -> str:
        """The tenant, or all."""
        return format_html("<bdi>{}</bdi>", self.value_tenant(record))

    def value_tenant(self, record: Budget) -> str:
        """The same."""
        return record.tenant.name if record.tenant else _("All together")

    def render_task(self, record: Budget) -> str:
        """The task, or all."""
        return format_html("<bdi>{}</bdi>", self.value_task(record))

    def value_task(self, record: Budget) -> str:
        """The same."""
        return record.task.title if record.task else _("All together")

    def render_engine(self, record: Budget) -> str:
        """The engine, or all."""
        return format_html("<bdi>{}</bdi>", self.value_engine(record))

    def value_engine(self, record: Budget) -> str:
        """The same."""
        return record.engine.name if record.engine else _("All together")

    def render_soft(self, record: Budget) -> str:
        """With its unit."""
        return amount_text(record, record.soft)

    value_soft = render_soft

    def render_hard(self, record: Budget) -> str:
        """With its unit."""
        return amount_text(record, record.hard)

    value_hard = render_hard

    def render_used(self, record: Budget) -> str:
        """What is charged, and what is held besides."""
        pace = self.paces.get(record.pk)
        if pace is None:
            return "–"
        used = amount_text(record, pace.used)
        if not pace.held:
            return used
        return _("%(used)s, and %(held)s in work") % {"used": used, "held": amount_text(record, pace.held)}

    value_used = render_used

    def render_percent(self, record: Budget) -> str:
        """Of the stop, else of the warning."""
        pace = self.paces.get(record.pk)
        return share(pace.used, record.hard or record.soft or 0) if pace is not None else "–"

    value_percent = render_percent

    def render_actions(self, record: Budget) -> str:
        """Delete, for those who may."""
        if record.pk not in self.changeable:
            return ""
        return links([(reverse("rails:budget_delete", args=[record.pk]), _("Delete"))])

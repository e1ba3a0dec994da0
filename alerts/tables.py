"""The tables of rules and of their history."""

from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts.models import AlertRule, Firing
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


def status_of(rule: Any) -> tuple[str, str]:
    """The look and the word of a rule's state, the most pressing first."""
    if not rule.enabled:
        return "disabled", _("Disabled")
    if rule.snoozed_until is not None and rule.snoozed_until > timezone.now():
        return "paused", _("Snoozed")
    if rule.firing:
        return "error", _("Firing")
    return ("warning", _("Pending")) if rule.pending else ("ok", _("In order"))


class RuleTable(PageTable):
    """Name, state, what is watched, threshold, scope, recipients."""

    selection = SelectionColumn()
    name = tables.Column(verbose_name=gettext_lazy("Name"))
    status = tables.Column(accessor="enabled", verbose_name=gettext_lazy("Status"), orderable=False)
    measure = tables.Column(accessor="get_measure_display", verbose_name=gettext_lazy("Watches"), order_by="measure")
    threshold = NumberColumn(verbose_name=gettext_lazy("Threshold"))
    minutes = NumberColumn(verbose_name=gettext_lazy("For minutes"))
    scope = tables.Column(accessor="pk", verbose_name=gettext_lazy("Scope"), orderable=False)
    recipients = TextColumn(verbose_name=gettext_lazy("E-mail to"), orderable=False, ltr=True)
    snoozed_until = TimeColumn(verbose_name=gettext_lazy("Snoozed until"))
    actions = ActionsColumn()

    class Meta(PageTable.Meta):
        order_by = "name"

    def __init__(self, *args: Any, may_edit: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_edit else ("selection", "actions"))
        self.may_edit = may_edit

    def render_name(self, value: str, record: AlertRule) -> str:
        """To the rule, or to its history for those who may only look."""
        if self.may_edit:
            return link(reverse("alerts:edit", args=[record.pk]), value)
        return link(reverse("alerts:history") + f"?rule={record.pk}", value)

    def value_name(self, value: str) -> str:
        """The bare name."""
        return value

    def render_status(self, record: AlertRule) -> str:
        """A badge."""
        return badge(*status_of(record))

    def value_status(self, record: AlertRule) -> str:
        """The word."""
        return status_of(record)[1]

    def render_threshold(self, value: float) -> str:
        """Without needless digits."""
        return f"{value:,g}"

    def value_threshold(self, value: float) -> float:
        """The bare number."""
        return value

    def render_scope(self, record: AlertRule) -> str:
        """What it is limited to."""
        named = [str(part) for part in (record.tenant, record.job, record.engine) if part is not None]
        return ", ".join(named) or _("All")

    def value_scope(self, record: AlertRule) -> str:
        """The same."""
        return self.render_scope(record)

    def value_recipients(self, value: list[str]) -> str:
        """All of them."""
        return ", ".join(value)

    def render_recipients(self, value: list[str]) -> str:
        """All of them."""
        return ", ".join(value)

    def render_actions(self, record: AlertRule) -> str:
        """Snooze, history, delete."""
        return links(
            [
                (reverse("alerts:snooze", args=[record.pk]), _("Snooze")),
                (reverse("alerts:history") + f"?rule={record.pk}", _("History")),
                (reverse("alerts:delete", args=[record.pk]), _("Delete")),
            ]
        )


class FiringTable(PageTable):
    """When which rule fired, on what, how long, who was told."""

    fired_at = TimeColumn(verbose_name=gettext_lazy("Fired"), seconds=True)
    resolved_at = TimeColumn(verbose_name=gettext_lazy("Resolved"), seconds=True)
    state = tables.Column(verbose_name=gettext_lazy("Status"))
    rule = TextColumn(verbose_name=gettext_lazy("Rule"))
    text = TextColumn(verbose_name=gettext_lazy("Found"))
    value = NumberColumn(verbose_name=gettext_lazy("Value"))
    threshold = NumberColumn(verbose_name=gettext_lazy("Threshold"))
    mailed_at = TimeColumn(verbose_name=gettext_lazy("E-mail sent"))
    snoozed_by = TextColumn(verbose_name=gettext_lazy("Snoozed by"))

    def render_state(self, record: Firing) -> str:
        """A badge."""
        return badge("error" if record.state == Firing.State.FIRING else "ok", record.get_state_display())

    def value_state(self, record: Firing) -> str:
        """The word."""
        return str(record.get_state_display())

    def render_value(self, value: float) -> str:
        """Without needless digits."""
        return f"{value:,.1f}".removesuffix(".0")

    def value_value(self, value: float) -> float:
        """The bare number."""
        return value

    def render_threshold(self, value: float) -> str:
        """Without needless digits."""
        return f"{value:,g}"

    def value_threshold(self, value: float) -> float:
        """The bare number."""
        return value

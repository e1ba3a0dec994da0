"""The tables of the usage pages. Figures in files are bare digits; on pages they have separators."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.outcomes import Reason
from core.tables import NumberColumn, PageTable, TextColumn, TimeColumn, link
from licensing.amounts import minutes_cell, minutes_text, percent, percent_text
from licensing.figures import Figures


@dataclass(slots=True)
class UsageRow:
    """One line: a tenant's figures, or the total of all lines shown (``pk`` None). No limit is None.

    In a past month, limits, seats and forecast are not known and None; ``current`` says so. What lines are sorted by is
    worked out once, because sorting asks for it many times.
    """

    pk: uuid.UUID | None
    name: str
    current: bool
    licensed: int | None
    accepted: int | None
    user_limit: int | None
    total: int | None
    used: int
    reserved: int
    left: int | None
    days_left: int | None
    denied: int
    forecast: date | None
    name_key: str = field(init=False)
    share: float = field(init=False)
    total_key: float = field(init=False)
    user_limit_key: float = field(init=False)
    left_key: float = field(init=False)
    forecast_key: date = field(init=False)

    def __post_init__(self) -> None:
        """No limit is the largest limit and the smallest share; never is the latest day."""
        self.name_key = self.name.casefold()
        self.share = -1.0 if self.total is None else float(percent(self.used, self.total) or 0)
        self.total_key = math.inf if self.total is None else self.total
        self.user_limit_key = math.inf if self.user_limit is None else self.user_limit
        self.left_key = math.inf if self.left is None else self.left
        self.forecast_key = self.forecast or date.max


def row_of(found: Figures) -> UsageRow:
    """The line of a tenant."""
    now = found.current
    return UsageRow(
        pk=found.tenant_id,
        name=found.name,
        current=now,
        licensed=found.licensed if now else None,
        accepted=found.accepted if now else None,
        user_limit=found.user_limit if now else None,
        total=found.total if now else None,
        used=found.month.used,
        reserved=found.reserved,
        left=found.left if now else None,
        days_left=found.days_left if now else None,
        denied=found.month.denied,
        forecast=found.forecast,
    )


def total_of(rows: Sequence[UsageRow]) -> UsageRow:
    """The sum of the lines. One tenant without a limit makes the sum of limits unlimited."""
    limited = all(row.total is not None for row in rows)
    current = all(row.current for row in rows)
    return UsageRow(
        pk=None,
        name=_("Total"),
        current=current,
        licensed=sum(row.licensed or 0 for row in rows) if current else None,
        accepted=sum(row.accepted or 0 for row in rows) if current else None,
        user_limit=None,
        total=sum(row.total or 0 for row in rows) if limited else None,
        used=sum(row.used for row in rows),
        reserved=sum(row.reserved for row in rows),
        left=sum(row.left or 0 for row in rows) if limited else None,
        days_left=None,
        denied=sum(row.denied for row in rows),
        forecast=None,
    )


class MinutesColumn(NumberColumn):
    """Seconds, shown in minutes; None is no limit."""

    empty_values = ()

    def render(self, value: int | None, record: UsageRow) -> str:
        """With separators."""
        return "–" if value is None and not record.current else minutes_text(value)

    def value(self, value: int | None) -> str:
        """Bare digits."""
        return minutes_cell(value)


class CountColumn(NumberColumn):
    """A whole number."""

    def render(self, value: int) -> str:
        """With separators."""
        return f"{value:,}"

    def value(self, value: int) -> int:
        """Bare digits."""
        return value


class UsageTable(PageTable):
    """All tenants with their month, and the total of all pages below."""

    name = TextColumn(verbose_name=gettext_lazy("Tenant"), order_by=("name_key",))
    licensed = CountColumn(verbose_name=gettext_lazy("Licensed users"))
    accepted = CountColumn(verbose_name=gettext_lazy("With a seat"))
    user_limit = MinutesColumn(verbose_name=gettext_lazy("Limit per user"), order_by=("user_limit_key",))
    total = MinutesColumn(verbose_name=gettext_lazy("Total limit"), order_by=("total_key",))
    used = MinutesColumn(verbose_name=gettext_lazy("Used"))
    used_seconds = tables.Column(accessor="used", verbose_name=gettext_lazy("Used (seconds)"), visible=False)
    share = NumberColumn(verbose_name=gettext_lazy("Percent"))
    reserved = MinutesColumn(verbose_name=gettext_lazy("Reserved"))
    left = MinutesColumn(verbose_name=gettext_lazy("Left"), order_by=("left_key",))
    days_left = CountColumn(verbose_name=gettext_lazy("Days until reset"))
    denied = CountColumn(verbose_name=gettext_lazy("Denied"))
    forecast = NumberColumn(verbose_name=gettext_lazy("Limit reached on"), order_by=("forecast_key",), empty_values=())

    class Meta(PageTable.Meta):
        order_by = ("-share",)
        pinned_row_attrs = {"data-total": "true"}

    def __init__(self, *args: Any, total: UsageRow | None = None, query: str = "", **kwargs: Any) -> None:
        self.total_row, self.query = total, query
        super().__init__(*args, **kwargs)

    def header(self) -> list[str]:
        """Files have the unit in the heading; the page says it once."""
        columns = [column for column in self.columns.iterall() if not column.column.exclude_from_export]
        return [
            _("%(heading)s (minutes)") % {"heading": column.header}
            if isinstance(column.column, MinutesColumn)
            else str(column.header)
            for column in columns
        ]

    def get_bottom_pinned_data(self) -> list[UsageRow] | None:
        """The total, unless there is nothing to sum."""
        return [self.total_row] if self.total_row is not None else None

    def render_name(self, record: UsageRow) -> str:
        """To the details."""
        if record.pk is None:
            return format_html("<strong>{}</strong>", record.name)
        return link(reverse("usage:tenant", args=[record.pk]) + self.query, record.name)

    def value_name(self, record: UsageRow) -> str:
        """The bare name."""
        return record.name

    def value_user_limit(self, value: int | None) -> str:
        """Bare digits."""
        return minutes_cell(value)

    def render_user_limit(self, value: int | None, record: UsageRow) -> str:
        """A total has none."""
        return "–" if record.pk is None or not record.current else minutes_text(value)

    def render_share(self, record: UsageRow) -> str:
        """Of the total limit."""
        return percent_text(record.used, record.total)

    def value_share(self, record: UsageRow) -> str:
        """Bare digits."""
        value = percent(record.used, record.total)
        return "" if value is None else str(value)

    def render_forecast(self, record: UsageRow) -> str:
        """A day, or that there is none before the reset."""
        if record.pk is None or not record.current or record.total is None:
            return "–"
        return record.forecast.isoformat() if record.forecast else _("not before the reset")

    def value_forecast(self, record: UsageRow) -> str:
        """The day."""
        return record.forecast.isoformat() if record.forecast else ""


class DenialTable(PageTable):
    """Denied requests of one tenant: time, call, user, reason, seconds."""

    at = TimeColumn(verbose_name=gettext_lazy("Time"), seconds=True)
    subject_id = TextColumn(verbose_name=gettext_lazy("Call"), ltr=True)
    username = TextColumn(verbose_name=gettext_lazy("User"))
    reason = TextColumn(verbose_name=gettext_lazy("Reason"))
    amount = CountColumn(verbose_name=gettext_lazy("Seconds"))
    engine = TextColumn(verbose_name=gettext_lazy("Engine"))
    language = TextColumn(verbose_name=gettext_lazy("Language"), ltr=True)

    def __init__(self, *args: Any, calls: bool = False, **kwargs: Any) -> None:
        self.calls = calls
        super().__init__(*args, **kwargs)

    def render_subject_id(self, value: uuid.UUID) -> str:
        """To the call, where the viewer stands in its tenant."""
        text = format_html('<span dir="ltr" class="p-mono">{}</span>', value)
        return link(reverse("conversations:call", args=[value]), text) if self.calls else text

    def render_reason(self, value: str) -> str:
        """In words."""
        return Reason.label_of(value)

    def value_reason(self, value: str) -> str:
        """In words."""
        return Reason.label_of(value)

    def value_subject_id(self, value: uuid.UUID) -> str:
        """The bare id."""
        return str(value)

"""Columns and the base of every table: names isolated for right-to-left text, times in the viewer's zone, badges."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

EMPTY = "–"


def show_time(value: datetime | None, *, seconds: bool = False, ago: bool = False) -> str:
    """A ``<time>`` in the viewer's zone that names the zone in its title; with ``ago`` the text is an age."""
    if value is None:
        return EMPTY
    local = timezone.localtime(value)
    zone = timezone.get_current_timezone_name()
    title = f"{local:%Y-%m-%d %H:%M:%S %Z} ({zone})"
    text = _("%(age)s ago") % {"age": timesince(value)} if ago else f"{local:%Y-%m-%d %H:%M}"
    if seconds and not ago:
        text = f"{local:%Y-%m-%d %H:%M:%S}"
    return format_html(
        '<time datetime="{}" title="{}" class="p-nowrap">{}</time>', local.isoformat(timespec="seconds"), title, text
    )


def badge(state: str, label: str = "", note: str = "") -> str:
    """The one look of a state: icon, word and colour."""
    return _badge(state, str(label), str(note), get_language() or "")


@lru_cache(maxsize=1024)
def _badge(state: str, label: str, note: str, language: str) -> SafeString:
    """A page shows the same few badges hundreds of times; ``language`` is part of the key only."""
    badge = render_to_string("cotton/badge.html", {"state": state, "label": label, "note": note})
    return mark_safe(badge.strip())  # noqa: S308 - our own template escaped it; strip() alone forgets that


def link(url: str, text: str) -> str:
    """A link whose text is isolated from the direction of what surrounds it."""
    return format_html('<a href="{}"><bdi>{}</bdi></a>', url, text)


def links(items: Iterable[tuple[str, str]]) -> str:
    """Row actions: (address, text) pairs as small quiet buttons."""
    return format_html_join(" ", '<a class="btn btn-sm p-quiet" href="{}">{}</a>', items)


class TextColumn(tables.Column):
    """Text that people typed: isolated by ``<bdi>``; ``ltr`` for ids and addresses."""

    def __init__(self, *args: Any, ltr: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ltr = ltr

    def render(self, value: Any) -> str:
        """The text, isolated."""
        if self.ltr:
            return format_html('<bdi dir="ltr" class="p-mono">{}</bdi>', value)
        return format_html("<bdi>{}</bdi>", value)

    def value(self, value: Any) -> Any:
        """The bare text for exports."""
        return str(value)


class NumberColumn(tables.Column):
    """A number, set to the end of its cell."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"attrs": {"td": {"class": "p-num"}, "th": {"class": "p-num"}}, **kwargs})


class TimeColumn(tables.Column):
    """A moment in the viewer's zone; exports give ISO 8601 with the offset."""

    def __init__(self, *args: Any, seconds: bool = False, ago: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds, self.ago = seconds, ago

    def render(self, value: datetime) -> str:
        """The moment, or its age."""
        return show_time(value, seconds=self.seconds, ago=self.ago)

    def value(self, value: datetime) -> str:
        """ISO 8601 in the viewer's zone."""
        return timezone.localtime(value).isoformat(timespec="seconds") if value else ""


class SelectionColumn(tables.Column):
    """The check boxes of bulk actions; the table template draws them by the name ``selection``."""

    def __init__(self) -> None:
        super().__init__(accessor="pk", orderable=False, exclude_from_export=True)


class ActionsColumn(tables.Column):
    """Row actions; a table writes ``render_actions``."""

    def __init__(self) -> None:
        super().__init__(
            accessor="pk",
            orderable=False,
            exclude_from_export=True,
            verbose_name=gettext_lazy("Actions"),
            attrs={"td": {"class": "p-nowrap"}},
        )


class PageTable(tables.Table):
    """Base of all tables. Tables write ``render_<name>`` and, for exports that differ, ``value_<name>``."""

    class Meta:
        default = EMPTY

    def export(self) -> Iterable[list[Any]]:
        """Rows as bare values without the header, in the order of the columns; empty cells are empty."""
        rows = iter(self.as_values())
        next(rows)
        for row in rows:
            yield ["" if cell in (None, EMPTY) else cell for cell in row]

    def header(self) -> list[str]:
        """The headings of what is exported."""
        return [str(column.header) for column in self.columns.iterall() if not column.column.exclude_from_export]

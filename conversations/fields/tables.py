"""The history of a value as a table."""

from typing import Any

import django_tables2 as tables
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from conversations.field_models import FieldValue
from conversations.fields.shown import author_text, quotes_of
from core.tables import EMPTY, NumberColumn, PageTable, TextColumn, TimeColumn, badge
from customfields.models import CustomField
from customfields.wording import shown


class HistoryTable(PageTable):
    """When, what, standing, who, why."""

    created_at = TimeColumn(verbose_name=gettext_lazy("When"), seconds=True)
    value = TextColumn(accessor="pk", verbose_name=gettext_lazy("Value"))
    standing = tables.Column(verbose_name=gettext_lazy("Standing"))
    origin = tables.Column(accessor="get_origin_display", verbose_name=gettext_lazy("Origin"))
    author = TextColumn(verbose_name=gettext_lazy("By"))
    explanation = TextColumn(verbose_name=gettext_lazy("Explanation"))
    evidence = TextColumn(verbose_name=gettext_lazy("Evidence"))
    task_version = NumberColumn(verbose_name=gettext_lazy("Task version"))
    prompt_hash = TextColumn(verbose_name=gettext_lazy("Prompt"), ltr=True)
    tokens = NumberColumn(verbose_name=gettext_lazy("Tokens"))
    transcript_version = NumberColumn(verbose_name=gettext_lazy("Transcript version"))
    execution_id = TextColumn(verbose_name=gettext_lazy("Execution"), ltr=True)

    def __init__(self, *args: Any, custom: CustomField, readable: bool, page_url: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.custom, self.readable, self.page_url = custom, readable, page_url

    def render_value(self, record: FieldValue) -> str:
        """In words."""
        text = self.value_value(record)
        return format_html('<bdi dir="auto">{}</bdi>', text) if text else _("(empty)")

    def value_value(self, record: FieldValue) -> str:
        """The same, bare."""
        return shown(self.custom.definition, record.value(self.custom))

    def render_standing(self, record: FieldValue) -> str:
        """A badge; pinned says more than current."""
        if record.pinned and record.standing == FieldValue.Standing.CURRENT:
            return badge("info", _("Pinned"))
        states = {FieldValue.Standing.CURRENT.value: "ok", FieldValue.Standing.HELD.value: "paused"}
        return badge(states.get(record.standing, "none"), record.get_standing_display())

    def value_standing(self, value: str) -> str:
        """The code."""
        return value

    def render_author(self, record: FieldValue) -> str:
        """The person, or the task and its engine."""
        return format_html("<bdi>{}</bdi>", author_text(record))

    def value_author(self, record: FieldValue) -> str:
        """The same, bare."""
        return author_text(record)

    def render_explanation(self, value: str) -> str:
        """In its own direction."""
        return format_html('<span dir="auto">{}</span>', value)

    def render_evidence(self, record: FieldValue) -> str:
        """The quotes, for those who may read the conversation, each with its place."""
        if not self.readable:
            return _("hidden") if record.evidence else EMPTY
        parts = [
            (self.page_url + quote.anchor, quote.text, "" if quote.verified else _("not found in the text"))
            for quote in quotes_of(record)
        ]
        return format_html_join(" ", '<div><a href="{}" dir="auto">{}</a> <span class="p-soft">{}</span></div>', parts)

    def value_evidence(self, record: FieldValue) -> str:
        """The quotes."""
        return "; ".join(quote.text for quote in quotes_of(record)) if self.readable else ""

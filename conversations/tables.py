"""The list of calls and threads as a table."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.fields.list_filters import FieldTable
from conversations.health.wording import band_of, in_words
from conversations.models import Call
from conversations.selectors import HIT_END, HIT_START
from conversations.shown import spoken_duration
from core.tables import NumberColumn, PageTable, SelectionColumn, TextColumn, TimeColumn, badge, show_time


def marked(snippet: str) -> SafeString:
    """A search extract with its hits marked; everything else is text."""
    parts = []
    for number, piece in enumerate(snippet.split(HIT_START)):
        hit, _end, rest = piece.partition(HIT_END) if number else ("", "", piece)
        parts.append(format_html("<mark>{}</mark>{}", hit, rest) if number else conditional_escape(rest))
    return format_html_join("", "{}", ((part,) for part in parts))


class CallTable(FieldTable):
    """Newest first. A row opens its call; search hits stand below the parties. Hidden columns are for exports."""

    selection = SelectionColumn()
    external_id = TextColumn(verbose_name=_("External id"), visible=False)
    started_at = TimeColumn(verbose_name=_("Time"))
    channel = tables.Column(verbose_name=_("Channel"))
    direction = tables.Column(verbose_name=_("Direction"), visible=False)
    parties = tables.Column(
        verbose_name=_("From → to"), empty_values=(), order_by="from_number", exclude_from_export=True
    )
    from_number = TextColumn(verbose_name=_("From"), visible=False)
    from_name = TextColumn(verbose_name=_("From name"), visible=False)
    to_number = TextColumn(verbose_name=_("To"), visible=False)
    to_name = TextColumn(verbose_name=_("To name"), visible=False)
    user = TextColumn(verbose_name=_("Agent"), order_by="user__username_key")
    group = TextColumn(verbose_name=_("Group"))
    queue_name = TextColumn(verbose_name=_("Queue or campaign"), visible=False)
    language = tables.Column(verbose_name=_("Language"))
    tags = tables.Column(verbose_name=_("Tags"), visible=False)
    confidential = tables.BooleanColumn(verbose_name=_("Confidential"), visible=False)
    duration_ms = NumberColumn(verbose_name=_("Length"))
    messages = NumberColumn(verbose_name=_("Messages"), visible=False)
    transcription_state = tables.Column(verbose_name=_("Transcription"))
    transcription_reason = tables.Column(verbose_name=_("Reason"), visible=False)
    health_score = NumberColumn(verbose_name=_("Health"))
    health_flags = tables.Column(verbose_name=_("Doubts about the transcript"), orderable=False, visible=False)

    class Meta(PageTable.Meta):
        order_by = "-started_at"
        row_attrs = {"data-href": lambda record: reverse("conversations:call", args=[record.pk])}

    snippets: Mapping[Any, str] = {}
    # Those whose subject may be shown.
    readable: Collection[Any] = ()

    def __init__(self, *args: Any, may_act: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, exclude=() if may_act else ("selection",))

    def render_started_at(self, record: Call) -> str:
        """The link of the row."""
        address = reverse("conversations:call", args=[record.pk])
        return format_html('<a href="{}">{}</a>', address, show_time(record.started_at))

    def value_started_at(self, value: datetime) -> str:
        """ISO 8601 in the viewer's zone."""
        return timezone.localtime(value).isoformat(timespec="seconds")

    def render_channel(self, record: Call) -> str:
        """The channel, and below it the direction of a call; messages have none."""
        if record.is_written:
            return record.get_channel_display()
        words = (record.get_channel_display(), record.get_direction_display())
        return format_html('{}<br><span class="p-soft">{}</span>', *words)

    def value_channel(self, record: Call) -> str:
        """The code."""
        return record.channel

    def value_direction(self, record: Call) -> str:
        """The code."""
        return "" if record.is_written else record.direction

    def render_parties(self, record: Call) -> str:
        """Names before numbers, the subject of a thread, and the extract when the text matched the search."""
        ends = [record.from_name or record.from_number or "–", record.to_name or record.to_number or "–"]
        line = format_html("<bdi>{}</bdi> → <bdi>{}</bdi>", *ends)
        if record.confidential:
            line += format_html(' <span class="p-badge p-tone-warning">{}</span>', _("Confidential"))
        subject = getattr(record, "subject", "")
        if subject and record.pk in self.readable:
            line += format_html('<span class="p-clip p-soft" dir="auto">{}</span>', subject)
        snippet = self.snippets.get(record.pk)
        if not snippet:
            return line
        return format_html('{}<span class="p-clip p-soft" dir="auto">{}</span>', line, marked(snippet))

    def value_tags(self, value: list[str]) -> str:
        """One text."""
        return "; ".join(value)

    def render_duration_ms(self, record: Call) -> str:
        """Minutes and seconds of a call, messages of a thread."""
        if not record.is_written:
            return spoken_duration(record.duration_ms)
        number = getattr(record, "messages", 0)
        words = ngettext("%(n)s message", "%(n)s messages", number) % {"n": f"{number:,}"}
        return format_html('<span class="p-nowrap">{}</span>', words)

    def value_duration_ms(self, record: Call) -> float | str:
        """Seconds."""
        return "" if record.is_written else record.duration_ms / 1000

    def render_transcription_state(self, record: Call) -> str:
        """A badge; the reason is its note. Messages are not transcribed."""
        if record.is_written:
            return "–"
        return badge(
            record.transcription_state, record.get_transcription_state_display(), record.transcription_reason_label
        )

    def render_health_score(self, record: Call, value: int) -> str:
        """In the colour of its band; the flags in words are its note."""
        label, tone = band_of(value)
        note = in_words(getattr(record, "health_flags", None) or []) or label
        badge = '<span class="p-badge p-tone-{}" title="{}"><bdi dir="ltr">{}</bdi></span>'
        return format_html(badge, tone, note, value)

    def value_health_score(self, value: int) -> int:
        """The number."""
        return value

    def value_health_flags(self, value: list[str]) -> str:
        """The codes in one text."""
        return "; ".join(value)

    def value_transcription_state(self, record: Call) -> str:
        """The code."""
        return "" if record.is_written else record.transcription_state

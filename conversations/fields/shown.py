"""The panel of custom fields on the page of a conversation, in plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from conversations.field_models import FieldValue, Origin
from conversations.fields.records import Key
from conversations.fields.selectors import current_values
from customfields.models import CustomField
from customfields.selectors import may_edit_value, readable_fields
from customfields.typed import TEXTS, Band, FieldType, band_of
from customfields.wording import shown


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that a value rests on; ``anchor`` is the place in the transcript, ``clock`` its time, each may be empty."""

    text: str
    anchor: str
    clock: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the panel: its value in words and as a band, who says so and why, and what the viewer may do."""

    field: CustomField
    version: FieldValue | None
    text: str
    band: Band | None = None
    long: bool = False
    author: str = ""
    quotes: Sequence[Quote] = ()
    edit_url: str = ""
    history_url: str = ""


@dataclass(slots=True)
class Group:
    """Fields that stand together."""

    name: str
    lines: list[Line] = field(default_factory=list)
    # Those that nobody and nothing has given a value yet.
    empty: list[Line] = field(default_factory=list)


def panel(user: User, key: Key, *, readable: bool) -> list[Group]:
    """The groups of what ``user`` may see, in two queries; ``readable``: the words of the conversation, so quotes too.

    A field without a value is shown to those who may give it one, behind the others.
    """
    fields = readable_fields(user)
    values = current_values([key[1]], fields)
    groups: dict[str, Group] = {}
    for custom in fields:
        version = values.get((key[1], custom.pk))
        line = line_of(user, key, custom, version, readable=readable)
        if version is None and not line.edit_url:
            continue
        group = groups.setdefault(custom.group, Group(custom.group))
        (group.lines if version is not None else group.empty).append(line)
    return list(groups.values())


def line_of(user: User, key: Key, custom: CustomField, version: FieldValue | None, *, readable: bool) -> Line:
    """One version of one value as ``user`` may see it."""
    where = {"record_type": key[0], "pk": key[1], "field": custom.pk}
    edit = reverse("conversations:field", kwargs=where) if may_edit_value(user, custom) else ""
    if version is None:
        return Line(custom, None, "", edit_url=edit)
    value = version.value(custom)
    return Line(
        custom,
        version,
        shown(custom.definition, value),
        band=band_of(custom.definition, value) if custom.type == FieldType.SCORE else None,
        long=custom.definition.type in TEXTS,
        author=author_text(version),
        quotes=quotes_of(version) if readable else (),
        edit_url=edit,
        history_url=reverse("conversations:field_history", kwargs=where),
    )


def author_text(version: FieldValue) -> str:
    """Who or what says it: a person, the task with its engine, an import, or the words of a transcript."""
    if version.origin == Origin.PERSON:
        return version.author
    if version.origin == Origin.IMPORT:
        return _("Import by %(who)s") % {"who": version.author}
    if version.origin == Origin.MEASURED:
        return _("Measured from the transcript of %(engine)s") % {"engine": version.engine}
    named = " · ".join(part for part in (version.task_label, version.engine, version.model) if part)
    return named or str(Origin.AI.label)


def quotes_of(version: FieldValue) -> list[Quote]:
    """The evidence, with a place to jump to where it is known."""
    return [_quote(item) for item in version.evidence]


def _quote(item: dict[str, Any]) -> Quote:
    turn, start = item.get("turn"), item.get("start_ms")
    anchor = f"#turn-{turn}" if isinstance(turn, int) and turn >= 0 else ""
    clock = f"{start // 60_000}:{start // 1000 % 60:02}" if isinstance(start, int) and start >= 0 else ""
    return Quote(str(item.get("quote", "")), anchor, clock, item.get("verified") is True)

"""A thread on its way in: its fields and their rules, the same for every way.

A ``NewThread`` that exists is valid and normalised: making one with a broken rule raises InvalidInput naming field and
rule. Making one costs processor time and needs no database: it belongs before the transaction.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from conversations.metadata import (
    TEXT_LIMITS,
    check_choice,
    check_language,
    check_tags,
    check_text,
    read_moment,
    read_start,
)
from conversations.models import TEXT_CHANNELS, Channel
from conversations.threads.normalising import RawMessage, normalise_thread
from core.errors import InvalidInput
from core.threads import Participant, Role, ThreadData

# Messages of other channels quote what they answer and carry signatures.
PLAIN_CHANNELS = frozenset({Channel.CHAT.value})
MAX_OFFSET_S = 366 * 24 * 3600
THREAD_FIELDS = frozenset(
    [
        "external_id",
        "channel",
        "subject",
        "participants",
        "messages",
        "username",
        "group",
        "queue_name",
        "language",
        "tags",
        "confidential",
        "started_at",
        "started_at_offset_minutes",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThread:
    """A thread that may be stored: its ingestion fields and its messages.

    ``external_id`` is shared with calls. ``username`` names the agent, a user of the tenant, whatever its case;
    ``group`` empty means the agent's group. A ``confidential`` thread is seen only by those with the right to it.
    """

    external_id: str
    channel: str
    data: ThreadData
    username: str = ""
    group: str = ""
    queue_name: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    confidential: bool = False

    def __post_init__(self) -> None:
        for name in ("external_id", "username", "group", "queue_name"):
            check_text(name, getattr(self, name), TEXT_LIMITS[name])
        if not self.external_id.strip():
            raise InvalidInput("external_id", _("Every thread needs an external id."))
        check_choice("channel", self.channel, TEXT_CHANNELS)
        check_language(self.language)
        check_tags(self.tags)
        if not isinstance(self.confidential, bool):
            raise InvalidInput("confidential", _("Use true or false."))


def new_thread(
    *,
    channel: str,
    subject: str,
    participants: Sequence[Participant],
    messages: Sequence[RawMessage],
    **named: Any,
) -> NewThread:
    """Normalise the messages and make the thread; ``named`` are the other fields of ``NewThread``. Raises InvalidInput."""
    check_choice("channel", channel, TEXT_CHANNELS)
    data = normalise_thread(
        subject=subject, participants=participants, messages=messages, splits=channel not in PLAIN_CHANNELS
    )
    return NewThread(channel=channel, data=data, **named)


def read_thread(raw: Mapping[str, Any], *, base_time: datetime | None = None) -> NewThread:
    """Make a thread from JSON: the names of ``NewThread``, ``subject``, ``participants`` and ``messages``.

    A participant has ``id``, ``role`` (customer, agent or bot), ``name`` and ``address``. A message has ``sender``,
    ``text`` or ``html``, ``id``, ``attachments`` (names) and ``sent_at`` as ISO 8601 with a zone; instead of that there
    may be ``offset_s``, seconds from the thread's ``started_at`` or from ``started_at_offset_minutes``, which counts
    from ``base_time`` (default: now). Raises InvalidInput, also for a field that nobody knows.
    """
    _known("", raw, THREAD_FIELDS)
    values = {name: value for name, value in raw.items() if value is not None}
    for name in ("external_id", "channel"):
        if name not in values:
            raise InvalidInput(name, _("Every thread needs an external id and a channel."))
    start = None
    if "started_at" in values or "started_at_offset_minutes" in values:
        start = read_start(values, base_time)
        values.pop("started_at", None)
    if isinstance(values.get("tags"), list):
        values["tags"] = tuple(values["tags"])
    people = [_participant(f"participants[{n}]", item) for n, item in _items("participants", values)]
    messages = [_message(f"messages[{n}]", item, start) for n, item in _items("messages", values)]
    values |= {"participants": people, "messages": messages, "subject": values.get("subject", "")}
    return new_thread(**values)


def _known(prefix: str, raw: Mapping[str, Any], names: frozenset[str] | set[str]) -> None:
    for name in raw:
        if name not in names:
            raise InvalidInput(f"{prefix}{str(name)[:80]}", _("There is no such field."))


def _items(name: str, values: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    items = values.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InvalidInput(name, _("This must be a list of objects."))
    return list(enumerate(items))


def _participant(field: str, raw: Mapping[str, Any]) -> Participant:
    _known(f"{field}.", raw, {column.name for column in fields(Participant)})
    role = raw.get("role")
    check_choice(f"{field}.role", role, list(Role))
    values = {name: value for name, value in raw.items() if value is not None}
    return Participant(**{"id": "", **values, "role": Role(str(role))})


def _message(field: str, raw: Mapping[str, Any], start: datetime | None) -> RawMessage:
    _known(f"{field}.", raw, {"id", "sender", "sent_at", "offset_s", "text", "html", "attachments"})
    values = {name: value for name, value in raw.items() if value is not None}
    offset, sent = values.pop("offset_s", None), values.pop("sent_at", None)
    if (offset is None) == (sent is None):
        raise InvalidInput(f"{field}.sent_at", _("Give either sent_at or offset_s."))
    at = read_moment(f"{field}.sent_at", sent) if offset is None else _shifted(f"{field}.offset_s", start, offset)
    return RawMessage(**{"sender": "", **values, "at": at})


def _shifted(field: str, start: datetime | None, offset: object) -> datetime:
    if start is None:
        raise InvalidInput(field, _("Seconds count from the start of the thread: give started_at, too."))
    number = isinstance(offset, int | float) and not isinstance(offset, bool) and math.isfinite(offset)
    if not number or not 0 <= offset <= MAX_OFFSET_S:  # type: ignore[operator]
        raise InvalidInput(field, _("Use a number of seconds, at most a year."))
    return start + timedelta(seconds=offset)  # type: ignore[arg-type]

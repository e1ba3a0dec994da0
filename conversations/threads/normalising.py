"""Making a thread of another system fit for storing: trust nothing (hostile 3H, 3I2). Pure functions.

A rule that somebody can mend is refused by field (``messages[3].sent_at``); what nobody can is mended, and said in the
thread's ``warnings``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from conversations.metadata import check_choice, check_start
from conversations.threads.splitting import split_message
from conversations.threads.texts import clean_line, clean_text, text_of_html
from core.errors import InvalidInput
from core.threads import Message, Participant, Role, ThreadData

MAX_PARTICIPANTS = 200
MAX_MESSAGES = 5_000
MAX_ID_CHARS = 254
MAX_NAME_CHARS = 150
MAX_SUBJECT_CHARS = 300
MAX_ATTACHMENTS = 50
# Of one message as it comes in, text or HTML, in characters.
MAX_SOURCE_CHARS = 1_000_000
# What is written anew in a thread, in bytes: PostgreSQL refuses a search vector of 1 MiB.
MAX_TEXT_BYTES = 500_000
# Quoted history and signatures of a thread: every reply may repeat all that was written before it.
MAX_QUOTED_BYTES = 2_000_000
MAX_WARNINGS = 20


@dataclass(frozen=True, slots=True)
class RawMessage:
    """One message as it came: ``text``, or ``html`` to make it of. ``id`` empty: one is made of what it says."""

    sender: str
    at: datetime
    id: str = ""
    text: str = ""
    html: str = ""
    attachments: Sequence[str] = ()


def normalise_thread(
    *, subject: str, participants: Sequence[Participant], messages: Sequence[RawMessage], splits: bool
) -> ThreadData:
    """Return the thread with every rule of the store kept. ``splits``: messages quote history and carry signatures.

    Messages come by time, in UTC and whole milliseconds, each id once; texts are cleaned lines in NFC without control
    characters. Raises InvalidInput for unknown senders, times without a zone, counts and sizes beyond the limits, and a
    thread in which nobody writes anything.
    """
    people = _participants(participants)
    if len(messages) > MAX_MESSAGES:
        raise InvalidInput("messages", _("Use at most %(limit)s messages.") % {"limit": f"{MAX_MESSAGES:,}"})
    known = {person.id for person in people}
    notes: list[str] = []
    kept: dict[str, Message] = {}
    for number, raw in enumerate(messages):
        message = _message(f"messages[{number}]", raw, known, splits)
        if not (message.text or message.quoted or message.attachments):
            notes.append("messages without text were left out")
        elif kept.setdefault(message.id, message) != message:
            notes.append("of messages with one id, the first was kept")
    data = ThreadData(_subject(subject), people, tuple(kept.values()), tuple(notes))
    return within_limits(data)


def within_limits(data: ThreadData) -> ThreadData:
    """Hold a thread of normalised messages to the rules on it as a whole; return it in the order of time.

    Quoted history beyond its limit is dropped. Raises InvalidInput.
    """
    if not data.messages:
        raise InvalidInput("messages", _("A thread needs at least one message with text."))
    if len(data.messages) > MAX_MESSAGES:
        raise InvalidInput("messages", _("Use at most %(limit)s messages.") % {"limit": f"{MAX_MESSAGES:,}"})
    if len(data.participants) > MAX_PARTICIPANTS:
        raise InvalidInput("participants", _("Use at most %(limit)d participants.") % {"limit": MAX_PARTICIPANTS})
    size = len(data.subject.encode()) + sum(len(message.text.encode()) + 2 for message in data.messages)
    if size > MAX_TEXT_BYTES:
        raise too_much_text()
    notes, room = list(data.warnings), MAX_QUOTED_BYTES
    messages = []
    for message in sorted(data.messages, key=lambda message: message.at):
        quoted = len(message.quoted.encode()) + len(message.signature.encode())
        if quoted > room:
            notes.append("quoted history beyond the size limit was dropped")
            message, quoted = replace(message, quoted="", signature=""), 0
        room -= quoted
        messages.append(message)
    return replace(data, messages=tuple(messages), warnings=tuple(dict.fromkeys(notes))[:MAX_WARNINGS])


def too_much_text() -> InvalidInput:
    """The refusal of a thread whose text is too long to be searched."""
    message = _("A thread holds at most %(limit)d KB of text beside what it quotes.")
    return InvalidInput("messages", message % {"limit": MAX_TEXT_BYTES // 1000})


def merged(stored: ThreadData, new: ThreadData) -> ThreadData:
    """What a later import makes of a stored thread: messages and participants are added, or replaced by their id.

    Nothing is taken away: a system that sends only what is new, and one that sends all again, end alike. Raises InvalidInput.
    """
    people = {person.id: person for person in (*stored.participants, *new.participants)}
    messages = {message.id: message for message in (*stored.messages, *new.messages)}
    return within_limits(
        ThreadData(
            new.subject or stored.subject,
            tuple(people.values()),
            tuple(messages.values()),
            (*stored.warnings, *new.warnings),
        )
    )


def _subject(subject: object) -> str:
    if not isinstance(subject, str) or len(subject) > MAX_SOURCE_CHARS:
        raise InvalidInput("subject", _("This must be text."))
    return clean_line(subject)[:MAX_SUBJECT_CHARS]


def _participants(participants: Iterable[Participant]) -> tuple[Participant, ...]:
    people: dict[str, Participant] = {}
    for number, person in enumerate(participants):
        field = f"participants[{number}]"
        if number >= MAX_PARTICIPANTS:
            raise InvalidInput("participants", _("Use at most %(limit)d participants.") % {"limit": MAX_PARTICIPANTS})
        identity = _short(f"{field}.id", person.id, MAX_ID_CHARS)
        if not identity:
            raise InvalidInput(f"{field}.id", _("Every participant needs an id."))
        if identity in people:
            raise InvalidInput(f"{field}.id", _("Two participants have this id."))
        check_choice(f"{field}.role", person.role, list(Role))
        people[identity] = Participant(
            identity,
            Role(person.role),
            _short(f"{field}.name", person.name, MAX_NAME_CHARS),
            _short(f"{field}.address", person.address, MAX_ID_CHARS),
        )
    return tuple(people.values())


def _short(field: str, value: object, limit: int) -> str:
    """One cleaned line. Raises InvalidInput when it is no text or too long."""
    if not isinstance(value, str):
        raise InvalidInput(field, _("This must be text."))
    if len(value) > limit:
        raise InvalidInput(field, _("Use at most %(limit)d characters.") % {"limit": limit})
    return clean_line(value)


def _message(field: str, raw: RawMessage, known: set[str], splits: bool) -> Message:
    sender = _short(f"{field}.sender", raw.sender, MAX_ID_CHARS)
    if sender not in known:
        raise InvalidInput(f"{field}.sender", _("There is no participant with this id."))
    check_start(raw.at, f"{field}.sent_at")
    at = raw.at.astimezone(UTC)
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    source = _source(f"{field}.text", raw.text) or text_of_html(_source(f"{field}.html", raw.html))
    text = clean_text(source)
    quoted = signature = ""
    if splits:
        parts = split_message(text)
        text, quoted, signature = parts.text, parts.quoted, parts.signature
    attachments = tuple(
        _short(f"{field}.attachments", name, MAX_ID_CHARS) for name in _few(f"{field}.attachments", raw.attachments)
    )
    identity = _identity(f"{field}.id", raw.id) or _made_up(sender, at, text)
    return Message(identity, sender, at, text, quoted, signature, attachments)


def _source(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, _("This must be text."))
    if len(value) > MAX_SOURCE_CHARS:
        message = _("A message has at most %(limit)s characters.")
        raise InvalidInput(field, message % {"limit": f"{MAX_SOURCE_CHARS:,}"})
    return value if value.strip() else ""


def _few(field: str, values: Any) -> Sequence[str]:
    if not isinstance(values, list | tuple) or len(values) > MAX_ATTACHMENTS:
        message = _("This must be a list of at most %(limit)d file names.")
        raise InvalidInput(field, message % {"limit": MAX_ATTACHMENTS})
    return values


def _identity(field: str, value: object) -> str:
    """The id as it is, or the digest of one that is longer than a column; empty when there is none."""
    if not isinstance(value, str):
        raise InvalidInput(field, _("This must be text."))
    if len(value) > MAX_ID_CHARS:
        return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
    return clean_line(value)


def _made_up(sender: str, at: datetime, text: str) -> str:
    """The same message has the same id in every import."""
    return hashlib.sha256("\0".join((sender, at.isoformat(), text)).encode()).hexdigest()[:32]

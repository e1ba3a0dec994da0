"""E-mails to threads: reading the messages of an mbox file and telling which belong together.

Messages belong together when one names another in References or In-Reply-To. An answer that names none joins the last
thread with its subject in which one of its people takes part. Pure functions: files are opened elsewhere.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header
from email.message import Message as Mail
from email.utils import getaddresses, parsedate_to_datetime
from itertools import islice
from typing import BinaryIO

from django.utils.translation import gettext as _

from conversations.threads.normalising import MAX_ATTACHMENTS, MAX_ID_CHARS, MAX_NAME_CHARS, RawMessage
from conversations.threads.texts import clean_line
from core.errors import InvalidInput
from core.threads import Participant, Role

MAX_MAIL_BYTES = 25 * 1024 * 1024
MAX_PARTS = 200
READ_BYTES = 1024 * 1024
MAX_REFERENCES = 200
# Text parts larger than this are logs and dumps rather than letters; the rest of them is left out.
MAX_PART_CHARS = 1_000_000
# How long an answer without references may come after the last message with its subject.
SAME_SUBJECT = timedelta(days=60)

_MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>")
_PREFIX = re.compile(
    r"(?:(?:re|aw|antw|sv|vs|rv|res|ref|fw|fwd|wg|tr|enc|rép|hv|תגובה|השב)(?:\[\d+\])? ?: ?)+", re.IGNORECASE
)
_NOBODY = re.compile(r"(no-?_?reply|do-?not-?reply|mailer-daemon|postmaster|notifications?)@", re.IGNORECASE)
_FROM_LINE = b"From "
# What the parser of the standard library raises on broken heads differs from case to case.
_UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError)


@dataclass(frozen=True, slots=True)
class Letter:
    """The head of one e-mail, which stands at ``place`` in its file. Addresses are in lower case, the writer's first."""

    place: int
    id: str
    references: tuple[str, ...]
    subject: str
    at: datetime
    people: tuple[tuple[str, str], ...]
    automatic: bool


@dataclass
class Correspondence:
    """Letters that belong together, by time. ``root`` is the id of the first, though it may not be in the file."""

    root: str
    letters: list[Letter] = field(default_factory=list)


def split_mbox(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Place and content of each message from where ``file`` stands, which is the begin of a message.

    Lines that an mbox quotes (“>From ”) are given back as they were written. A message beyond the size limit comes as its
    first part, one byte longer than the limit. Memory: one message.
    """
    lines: list[bytes] = []
    size, begun, empty, here = 0, -1, True, file.tell()
    for line in iter(lambda: file.readline(READ_BYTES), b""):
        place, here = here, here + len(line)
        if empty and line.startswith(_FROM_LINE):
            if begun >= 0:
                yield begun, b"".join(lines)
            lines, size, begun = [], 0, place
            continue
        empty = not line.strip(b"\r\n")
        if begun >= 0 and size <= MAX_MAIL_BYTES:
            quoted = line.startswith(b">") and line.lstrip(b">").startswith(_FROM_LINE)
            lines.append(line[quoted:][: MAX_MAIL_BYTES + 1 - size])
            size += len(lines[-1])
    if begun >= 0:
        yield begun, b"".join(lines)


def read_letter(content: bytes, place: int) -> Letter:
    """Read the head of one e-mail. Raises InvalidInput for one without date or sender, too large, or not to be made out."""
    if len(content) > MAX_MAIL_BYTES:
        raise InvalidInput("message", _("The message is larger than %(limit)d MB.") % {"limit": MAX_MAIL_BYTES >> 20})
    try:
        return _letter(message_from_bytes(content), place)
    except _UNREADABLE as error:
        raise InvalidInput("message", _("The message cannot be read.")) from error


def _letter(mail: Mail, place: int) -> Letter:
    sent = _sent(mail)
    writers, readers = _addresses(mail, "from"), _addresses(mail, "to", "cc")
    if not writers:
        raise InvalidInput("from", _("The message has no sender."))
    references = _MESSAGE_ID.findall(f"{mail.get('references', '')} {mail.get('in-reply-to', '')}")
    automatic = str(mail.get("auto-submitted", "no")).strip().lower() not in ("", "no")
    return Letter(
        place=place,
        id=next(iter(_MESSAGE_ID.findall(str(mail.get("message-id", "")))), ""),
        references=tuple(dict.fromkeys(references[:MAX_REFERENCES])),
        subject=clean_line(_decoded(mail.get("subject", "")))[:300],
        at=sent,
        people=tuple(dict.fromkeys([writers[0], *readers])),
        automatic=automatic or _NOBODY.match(writers[0][0]) is not None,
    )


def _sent(mail: Mail) -> datetime:
    try:
        sent = parsedate_to_datetime(str(mail.get("date", "")))
    except (ValueError, TypeError, IndexError, OverflowError):
        raise InvalidInput("date", _("The message has no date that can be read.")) from None
    # “-0000” says that the writer's zone is unknown and the time is UTC.
    return sent if sent.utcoffset() is not None else sent.replace(tzinfo=UTC)


def _addresses(mail: Mail, *heads: str) -> list[tuple[str, str]]:
    """(address, name) of everybody in these heads."""
    found = []
    for name, address in getaddresses([_decoded(value) for head in heads for value in mail.get_all(head, [])[:10]]):
        address = clean_line(address).lower()
        if "@" in address and len(address) <= MAX_ID_CHARS:
            found.append((address, clean_line(name)[:MAX_NAME_CHARS]))
    return found


def _decoded(value: object) -> str:
    """A head in words; encodings that nobody knows are read as Latin."""
    parts = []
    for piece, charset in decode_header(str(value)):
        parts.append(_in_charset(piece, charset) if isinstance(piece, bytes) else piece)
    return "".join(parts)


def _in_charset(content: bytes, charset: str | None) -> str:
    try:
        return content.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return content.decode("latin-1")


def read_body(content: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Plain text, HTML, and names of attachments of an e-mail; of several texts the first that holds something.

    Raises InvalidInput.
    """
    try:
        return _body_parts(message_from_bytes(content))
    except _UNREADABLE as error:
        raise InvalidInput("message", _("The message cannot be read.")) from error


def _body_parts(mail: Mail) -> tuple[str, str, tuple[str, ...]]:
    text = html = ""
    names = []
    for part in islice(mail.walk(), MAX_PARTS):
        if part.is_multipart():
            continue
        name, kind = part.get_filename(), part.get_content_type()
        if name or part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
            names.append(clean_line(_decoded(name or kind))[:MAX_ID_CHARS])
        elif kind == "text/html":
            html = html or _body(part)
        else:
            text = text or _body(part)
    return text, html, tuple(names[:MAX_ATTACHMENTS])


def _body(part: Mail) -> str:
    content = part.get_payload(decode=True)
    text = _in_charset(content, part.get_content_charset()) if isinstance(content, bytes) else ""
    return text[:MAX_PART_CHARS] if text.strip() else ""


def correspondences(letters: Iterable[Letter]) -> list[Correspondence]:
    """Letters grouped by what they answer, groups and letters by time."""
    ordered = sorted(letters, key=lambda letter: letter.at)
    group_of = _linked(ordered)
    found: dict[str, Correspondence] = {}
    by_subject: dict[str, Correspondence] = {}
    for number, letter in enumerate(ordered):
        key = group_of[number]
        if key not in found:
            known = None if letter.references else _same_subject(letter, by_subject)
            root = next(iter(letter.references), letter.id) or f"{letter.at.isoformat()} {letter.people[0][0]}"
            found[key] = known or Correspondence(root)
        group = found[key]
        group.letters.append(letter)
        by_subject[_bare(letter.subject)] = group
    return list({id(group): group for group in found.values()}.values())


def _linked(letters: list[Letter]) -> list[str]:
    """For each letter the name of its group: ids that one letter names belong together (union-find)."""
    parent: dict[str, str] = {}

    def top(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    keys = [letter.id or f"\0{number}" for number, letter in enumerate(letters)]
    for key, letter in zip(keys, letters, strict=True):
        for reference in letter.references:
            parent[top(reference)] = top(key)
    return [top(key) for key in keys]


def _bare(subject: str) -> str:
    return _PREFIX.sub("", subject, count=1).strip().casefold()


def _same_subject(letter: Letter, by_subject: dict[str, Correspondence]) -> Correspondence | None:
    """The thread that an answer without references belongs to."""
    bare = _bare(letter.subject)
    known = by_subject.get(bare)
    if known is None or not bare or not _PREFIX.match(letter.subject):
        return None
    last = known.letters[-1]
    people = {address for other in known.letters[-50:] for address, _name in other.people}
    near = letter.at - last.at <= SAME_SUBJECT
    return known if near and letter.people[0][0] in people else None


def thread_values(
    group: Correspondence,
    content_at: Callable[[int], bytes],
    *,
    agents: Collection[str],
    domains: Collection[str],
) -> tuple[str, list[Participant], list[RawMessage]]:
    """Subject, participants and messages of a correspondence; ``content_at`` gives the e-mail at a place of the file.

    Agents are those whose address is one of ``agents`` or in one of ``domains``; who only sends automatic messages is a
    bot, everybody else a customer. Raises InvalidInput.
    """
    names: dict[str, str] = {}
    writes: dict[str, bool] = {}
    for letter in group.letters:
        for address, name in letter.people:
            names[address] = name or names.get(address, "")
        sender = letter.people[0][0]
        writes[sender] = writes.get(sender, True) and letter.automatic
    people = [
        Participant(address, _role(address, writes.get(address, False), agents, domains), name, address)
        for address, name in names.items()
    ]
    messages = [_message(letter, *read_body(content_at(letter.place))) for letter in group.letters]
    return _PREFIX.sub("", group.letters[0].subject, count=1).strip(), people, messages


def _message(letter: Letter, text: str, html: str, attachments: tuple[str, ...]) -> RawMessage:
    return RawMessage(
        sender=letter.people[0][0], at=letter.at, id=letter.id, text=text, html=html, attachments=attachments
    )


def _role(address: str, only_automatic: bool, agents: Collection[str], domains: Collection[str]) -> Role:
    if only_automatic:
        return Role.BOT
    return Role.AGENT if address in agents or address.rpartition("@")[2] in domains else Role.CUSTOMER

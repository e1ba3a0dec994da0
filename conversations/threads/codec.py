"""Threads as bytes: columns of the messages as JSON, then zstd; their texts lie beside them, for full-text search.

The stored text is the subject and the texts of the messages, an empty line between two of them; the body knows how long
each is. Pure functions, no Django.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import orjson
import zstandard

from core.threads import Message, Participant, Role, ThreadData

FORMAT = 1
MAX_BODY_BYTES = 64 * 1024 * 1024
LEVEL = 9
BETWEEN = "\n\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class CorruptThread(ValueError):
    """The stored bytes do not fit together; they were not written by ``pack_thread`` with this text."""


@dataclass(frozen=True, slots=True)
class PackedThread:
    """The two columns of a stored thread, and what is counted in it. The subject does not count."""

    body: bytes
    text: str
    message_count: int
    word_count: int
    text_chars: int


def pack_thread(data: ThreadData) -> PackedThread:
    """Pack a normalised thread; everything comes back exactly."""
    order = {person.id: number for number, person in enumerate(data.participants)}
    moments = [(message.at - _EPOCH) // _MS for message in data.messages]
    texts = [message.text for message in data.messages]
    parts = [data.subject, *texts]
    columns = {
        "people": [[person.id, person.role.value, person.name, person.address] for person in data.participants],
        "lengths": [len(part) for part in parts],
        "ids": [message.id for message in data.messages],
        "senders": [order[message.sender] for message in data.messages],
        "times": [after - before for before, after in zip([0, *moments], moments, strict=False)],
        "quoted": [message.quoted for message in data.messages],
        "signatures": [message.signature for message in data.messages],
        "attachments": [message.attachments for message in data.messages],
        "warnings": data.warnings,
    }
    body = bytes([FORMAT]) + zstandard.ZstdCompressor(level=LEVEL).compress(orjson.dumps(columns))
    words = sum(len(text.split()) for text in texts)
    return PackedThread(body, BETWEEN.join(parts), len(texts), words, sum(map(len, texts)))


def unpack_thread(body: bytes, text: str) -> ThreadData:
    """The thread of a stored body and text. Raises CorruptThread when they do not belong together."""
    try:
        return _unpack(body, text)
    except (IndexError, KeyError, TypeError, ValueError, zstandard.ZstdError, OverflowError) as error:
        raise CorruptThread("The stored thread cannot be read.") from error


def _unpack(body: bytes, text: str) -> ThreadData:
    if body[:1] != bytes([FORMAT]):
        raise CorruptThread("The stored thread has an unknown format.")
    columns = orjson.loads(zstandard.ZstdDecompressor().decompress(body[1:], max_output_size=MAX_BODY_BYTES))
    people = tuple(Participant(key, Role(role), name, address) for key, role, name, address in columns["people"])
    subject, *texts = _pieces(text, columns["lengths"])
    names = ("ids", "senders", "quoted", "signatures", "attachments")
    moments = accumulate(columns["times"])
    messages = tuple(
        Message(key, people[sender].id, _EPOCH + moment * _MS, piece, quoted, signature, tuple(files))
        for piece, moment, key, sender, quoted, signature, files in zip(
            texts, moments, *(columns[name] for name in names), strict=True
        )
    )
    return ThreadData(subject, people, messages, tuple(columns["warnings"]))


def _pieces(text: str, lengths: list[int]) -> list[str]:
    pieces, position = [], 0
    for length in lengths:
        pieces.append(text[position : position + length])
        position += length + len(BETWEEN)
    if position - len(BETWEEN) != len(text):
        raise CorruptThread("The text has another length than the body says.")
    return pieces

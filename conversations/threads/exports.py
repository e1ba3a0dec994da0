"""Threads as TXT and JSON: pure functions of what is to be written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

import orjson

from core.threads import ThreadData


@dataclass(frozen=True, slots=True)
class ThreadExport:
    """One format: what writes it and how it is served."""

    mime: str
    write: Callable[[ThreadData], str]


def to_txt(data: ThreadData) -> str:
    """The subject, then for each message a line with time (UTC), writer and role, and what was written anew."""
    people = {person.id: person for person in data.participants}
    blocks = [data.subject] if data.subject else []
    for message in data.messages:
        sender = people[message.sender]
        head = f"[{message.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC] {sender.shown} ({sender.role})"
        files = "\n".join(f"[{name}]" for name in message.attachments)
        blocks.append("\n".join(part for part in (head, message.text, files) if part))
    return "\n\n".join(blocks) + "\n"


def to_json(data: ThreadData) -> str:
    """Everything that is kept, quoted history and signatures too, in the names that the import takes."""
    written = {
        "subject": data.subject,
        "participants": [
            {"id": person.id, "role": person.role, "name": person.name, "address": person.address}
            for person in data.participants
        ],
        "messages": [
            {
                "id": message.id,
                "sender": message.sender,
                "sent_at": message.at.isoformat(timespec="milliseconds"),
                "text": message.text,
                "quoted": message.quoted,
                "signature": message.signature,
                "attachments": message.attachments,
            }
            for message in data.messages
        ],
        "warnings": data.warnings,
    }
    return orjson.dumps(written, option=orjson.OPT_INDENT_2).decode()


THREAD_EXPORTS = {
    "txt": ThreadExport("text/plain; charset=utf-8", to_txt),
    "json": ThreadExport("application/json", to_json),
}

"""The normal form of a text conversation, the same for chat, e-mail and tickets. Pure data, no Django."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """On whose behalf somebody speaks or writes."""

    CUSTOMER = "customer"
    AGENT = "agent"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody who writes in a thread. ``id`` is unique in it; ``address`` an e-mail address, a number or a handle."""

    id: str
    role: Role
    name: str = ""
    address: str = ""

    @property
    def shown(self) -> str:
        """The name, else the address, else the id."""
        return self.name or self.address or self.id


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``sender`` is the id of a participant, ``at`` has a zone.

    ``text`` is what was written anew; the history that it quotes and the signature below it are kept apart.
    ``attachments`` are the names of files that came with it; the files themselves are not kept.
    """

    id: str
    sender: str
    at: datetime
    text: str
    quoted: str = ""
    signature: str = ""
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadData:
    """A whole thread: messages by time, each of a participant that is listed. ``warnings``: what was mended or dropped."""

    subject: str
    participants: tuple[Participant, ...]
    messages: tuple[Message, ...]
    warnings: tuple[str, ...] = ()

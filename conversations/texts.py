"""The text of a conversation, alike for calls and threads: what search shows, exports write and AI tasks read.

A conversation has text when it has a current transcript or a thread; never both (ADR 0011).

``text_of`` and ``texts_of`` give the turns, ``text_facts`` what filters ask about without reading any text. All run inside
the tenant; the batch forms take two or three queries, whatever the number of conversations.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Length

from conversations.exports import speaker_name
from conversations.models import Call, Thread, Transcript
from conversations.selectors import transcript_data
from conversations.threads.codec import unpack_thread
from core.threads import Role, ThreadData
from queues.events import RecordType


@dataclass(frozen=True, slots=True)
class TextTurn:
    """One turn of a transcript or one message of a thread.

    ``index`` is its number, from 0, and the one of its place on the conversation's page (``#turn-3``). ``offset_ms`` counts
    from the start of the audio or from the first message; ``at`` is the moment itself. ``role`` is customer, agent or
    bot where that is known, else empty: most engines tell channels and not roles apart. ``text`` of a transcript is one
    line; of a message it may be several, without quoted history and signature.
    """

    index: int
    at: datetime
    offset_ms: int
    role: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ConversationText:
    """What was said or written. ``record_type`` and ``record_id`` name the conversation as queues and records do.

    ``version`` is that of the transcript or the thread: another number means another text. ``subject`` is empty for calls.
    """

    record_type: RecordType
    record_id: uuid.UUID
    version: int
    language: str
    subject: str
    turns: tuple[TextTurn, ...]

    @property
    def plain(self) -> str:
        """The texts of all turns, one after the other: where a quotation must occur to be true."""
        return "\n".join(turn.text for turn in self.turns)


def text_of(call: Call) -> ConversationText | None:
    """The text of one conversation; None when there is none (yet)."""
    return texts_of([call.pk]).get(call.pk)


def texts_of(call_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ConversationText]:
    """The texts of those conversations that have one, by their ids. Two queries."""
    ids = list(call_ids)
    texts: dict[uuid.UUID, ConversationText] = {}
    transcripts = Transcript.objects.filter(call_id__in=ids, is_current=True).select_related("call")
    for transcript in transcripts:
        data = transcript_data(transcript)
        turns = (
            TextTurn(
                index=index,
                at=transcript.call.started_at + timedelta(milliseconds=segment.start_ms),
                offset_ms=segment.start_ms,
                role=_role(segment.speaker),
                name=speaker_name(segment),
                text=segment.text,
            )
            for index, segment in enumerate(data.segments)
        )
        texts[transcript.call_id] = ConversationText(
            RecordType.CALL,
            transcript.call_id,
            transcript.version,
            data.language or transcript.call.language,
            "",
            tuple(turns),
        )
    for thread in Thread.objects.filter(pk__in=ids).select_related("call"):
        messages = thread_data(thread)
        texts[thread.pk] = ConversationText(
            RecordType.CONVERSATION,
            thread.pk,
            thread.version,
            thread.call.language,
            messages.subject,
            tuple(_turns(messages)),
        )
    return texts


def thread_data(thread: Thread) -> ThreadData:
    """Participants and messages of a stored thread."""
    return unpack_thread(bytes(thread.body), thread.text)


def _role(speaker: str) -> str:
    word = speaker.casefold()
    return word if word in set(Role) else ""


def _turns(data: ThreadData) -> list[TextTurn]:
    people = {person.id: person for person in data.participants}
    start = data.messages[0].at
    return [
        TextTurn(
            index=index,
            at=message.at,
            offset_ms=(message.at - start) // timedelta(milliseconds=1),
            role=people[message.sender].role.value,
            name=people[message.sender].shown,
            text=message.text,
        )
        for index, message in enumerate(data.messages)
    ]


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What filters and gates may ask about a conversation of either kind, without its text.

    ``direction`` and ``duration_ms`` are None for threads. ``participants`` are names and addresses or numbers.
    ``turn_count``, ``word_count`` and ``text_chars`` are 0, and ``version`` is None, when there is no text (yet).
    ``ai_on_request``: the sender wants no AI tasks before a person asks for them. ``health_score`` (0–100) and
    ``health_flags`` are those of a transcript that was judged.
    """

    record_type: RecordType
    record_id: uuid.UUID
    channel: str
    direction: str | None
    duration_ms: int | None
    started_at: datetime
    user_id: uuid.UUID | None
    username: str
    group: str
    queue_name: str
    language: str
    tags: tuple[str, ...]
    external_id: str
    participants: tuple[str, ...]
    turn_count: int = 0
    word_count: int = 0
    text_chars: int = 0
    version: int | None = None
    ai_on_request: bool = False
    health_score: int | None = None
    health_flags: tuple[str, ...] = ()

    @property
    def has_text(self) -> bool:
        """Eligible for AI tasks: a transcript or a thread is there."""
        return self.version is not None


def text_facts(call_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, TextFacts]:
    """Facts of those conversations that still exist. Three queries, none of which reads a text."""
    ids = list(call_ids)
    columns = ("turn_count", "word_count", "text_chars", "version")
    sizes: dict[uuid.UUID, dict[str, Any]] = {}
    spoken = Transcript.objects.filter(call_id__in=ids, is_current=True).annotate(text_chars=Length("text"))
    of_spoken = (*columns, "health_score", "health_flags")
    for key, *values in spoken.values_list("call_id", *of_spoken):
        sizes[key] = dict(zip(of_spoken, values, strict=True))
    people: dict[uuid.UUID, str] = {}
    written = Thread.objects.filter(pk__in=ids)
    for key, names, *values in written.values_list("pk", "people", "message_count", *columns[1:]):
        people[key], sizes[key] = names, dict(zip(columns, values, strict=True))
    return {
        call.pk: _facts(call, people.get(call.pk, ""), sizes.get(call.pk, {}))
        for call in Call.objects.filter(pk__in=ids).select_related("user")
    }


def _facts(call: Call, people: str, sizes: dict[str, Any]) -> TextFacts:
    parties = (call.from_name, call.from_number, call.to_name, call.to_number)
    names = people.split("\n") if call.is_written else parties
    return TextFacts(
        record_type=RecordType.CONVERSATION if call.is_written else RecordType.CALL,
        record_id=call.pk,
        channel=call.channel,
        direction=None if call.is_written else call.direction,
        duration_ms=None if call.is_written else call.duration_ms,
        started_at=call.started_at,
        user_id=call.user_id,
        username=call.user.username if call.user is not None else "",
        group=call.group,
        queue_name=call.queue_name,
        language=call.language,
        tags=tuple(call.tags),
        external_id=call.external_id,
        participants=tuple(name for name in names if name),
        ai_on_request=call.ai_on_request,
        **(sizes | {"health_flags": tuple(sizes.get("health_flags", ()))}),
    )

"""Reading calls and threads: what a user may see, facts for jobs, search."""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.search import SearchHeadline, SearchQuery, SearchVector
from django.db.models import OuterRef, Q, Subquery
from django.shortcuts import get_object_or_404

from accounts.models import User
from accounts.permissions import AccessScope, Permission
from conversations.audio import recording_of
from conversations.codec import unpack
from conversations.models import SPOKEN, Call, Channel, Recording, Thread, Transcript
from core.transcripts import TranscriptData
from queues.events import RecordType
from tenants.doors import current_tenant
from tenants.querysets import TenantQuerySet

# Marks around hits in snippets. Normalised text holds no control characters, so they cannot be forged.
HIT_START, HIT_END = "\x02", "\x03"


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What a job needs to know of a recording. ``problem`` is a reason code or empty; lengths in ms and bytes.

    ``peaks`` are as stored, empty unless they were asked for.
    """

    recording_id: uuid.UUID
    storage_key: str
    mime: str
    label: str
    bytes_plain: int
    duration_ms: int
    channels: int
    sample_rate: int
    problem: str
    peaks: bytes = b""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a job needs to know of a call to filter, gate and upload it. ``recording`` None: there is no audio.

    ``quiet`` are the (start, end) of hold and waiting in the queue, in milliseconds.
    """

    call_id: uuid.UUID
    user_id: uuid.UUID | None
    direction: str
    language: str
    tags: tuple[str, ...]
    group: str
    duration_ms: int
    recording: RecordingFacts | None
    username: str
    channel: str
    queue_name: str
    external_id: str
    started_at: datetime
    transcription_state: str
    quiet: tuple[tuple[int, int], ...] = ()


def visible_calls(user: User) -> TenantQuerySet:
    """The calls and threads that ``user`` may see by rights and access scope: own, those of the managed groups, or all.

    Who manages no group by name manages the own one. Confidential calls, also the own ones, need a right of their own
    (domain L11): without it they do not exist in lists, searches, exports and counts. Nothing for a user of another tenant than the one that was
    entered, unless it is viewed as its administrator would.
    """
    calls: TenantQuerySet = Call.objects.select_related("user")
    if user.stands_in != current_tenant().pk:
        return calls.none()
    if not user.has(Permission.CALLS_VIEW_CONFIDENTIAL):
        calls = calls.filter(confidential=False)
    mine = Q(user=user) if user.has(Permission.CALLS_VIEW_OWN) else Q(pk__in=[])
    if not user.has(Permission.CALLS_VIEW_OTHERS) or user.scope == AccessScope.USER:
        return calls.filter(mine)
    if user.scope == AccessScope.MANAGED_GROUPS and user.viewing is None:
        groups = {*user.managed_groups, user.group} - {""}
        return calls.filter(mine | Q(group__in=groups)) if groups else calls.filter(mine)
    return calls


def call_for(user: User, pk: uuid.UUID) -> Call:
    """One visible call. Raises Http404, the same for an unknown, a foreign and an invisible one."""
    call: Call = get_object_or_404(visible_calls(user), pk=pk)
    return call


def may(user: User, call: Call, *, own: str, others: str) -> bool:
    """Whether ``user`` holds the right that counts for this visible call: ``own`` for their own, else ``others``."""
    return user.has(own if call.user_id == user.pk else others)


def within(user: User, *, own: str, others: str) -> Q:
    """``may`` as a condition on calls."""
    # A call of nobody counts as one of others; the negation includes it.
    mine = Q(user=user) if user.has(own) else Q(pk__in=[])
    theirs = ~Q(user=user) if user.has(others) else Q(pk__in=[])
    return mine | theirs


def may_play(user: User, call: Call) -> bool:
    """Listen to the audio."""
    return may(user, call, own=Permission.CALLS_PLAYBACK_OWN, others=Permission.CALLS_PLAYBACK_OTHERS)


def may_download(user: User, call: Call) -> bool:
    """Take the audio away."""
    return may(user, call, own=Permission.CALLS_DOWNLOAD_OWN, others=Permission.CALLS_DOWNLOAD_OTHERS)


def may_read(user: User, call: Call) -> bool:
    """See the transcript or the messages: needs the right to transcripts and to playback (domain L13)."""
    return user.has(Permission.TRANSCRIPT_VIEW) and may_play(user, call)


def _readable(user: User) -> Q:
    """``may_read`` as a condition on calls."""
    if not user.has(Permission.TRANSCRIPT_VIEW):
        return Q(pk__in=[])
    return within(user, own=Permission.CALLS_PLAYBACK_OWN, others=Permission.CALLS_PLAYBACK_OTHERS)


def recording_for(call: Call) -> Recording | None:
    """The recording of a call: the first one that came, or None."""
    recording: Recording | None = Recording.objects.filter(call=call).order_by("pk").first()
    return recording


def current_transcript(call: Call) -> Transcript | None:
    """The current version of the transcript, or None."""
    transcript: Transcript | None = Transcript.objects.filter(call=call, is_current=True).first()
    return transcript


def with_health(calls: TenantQuerySet) -> TenantQuerySet:
    """``calls`` with ``health_score`` and ``health_flags`` of their current transcripts; None without a judged one."""
    current = Transcript.objects.filter(call=OuterRef("pk"), is_current=True)
    annotated: TenantQuerySet = calls.annotate(
        health_score=Subquery(current.values("health_score")), health_flags=Subquery(current.values("health_flags"))
    )
    return annotated


def having_health(
    calls: TenantQuerySet, *, low: int | None = None, high: int | None = None, flag: str | None = None
) -> TenantQuerySet:
    """Narrow ``calls`` to those whose current transcript was judged so; both ends of the score belong to it."""
    judged = Transcript.objects.filter(is_current=True, health_score__isnull=False)
    if low is not None:
        judged = judged.filter(health_score__gte=low)
    if high is not None:
        judged = judged.filter(health_score__lte=high)
    if flag is not None:
        judged = judged.filter(health_flags__contains=[flag])
    narrowed: TenantQuerySet = calls.filter(pk__in=judged.order_by().values("call_id"))
    return narrowed


def transcript_data(transcript: Transcript) -> TranscriptData:
    """Turns and words of a stored transcript."""
    return unpack(bytes(transcript.body), transcript.text)


FACTS = (
    *(
        "direction",
        "language",
        "tags",
        "group",
        "duration_ms",
        "channel",
        "queue_name",
        "external_id",
        "started_at",
        "transcription_state",
        "hold_events",
    ),
    "user__username",
)


def call_facts(call_ids: Iterable[uuid.UUID], *, peaks: bool = False) -> dict[uuid.UUID, CallFacts]:
    """Facts of those calls that still exist: one query for the calls, one for their recordings.

    ``peaks`` asks for the pictures of the recordings, too: up to 2 KB each.
    """
    ids = list(call_ids)
    recordings: dict[uuid.UUID, RecordingFacts] = {}
    rows = Recording.objects.filter(call_id__in=ids).defer(*(() if peaks else ("peaks",))).order_by("pk")
    for row in rows:
        recordings.setdefault(
            row.call_id,
            RecordingFacts(
                recording_id=recording_of(row.storage_key),
                storage_key=row.storage_key,
                mime=row.mime,
                label=row.label,
                bytes_plain=row.bytes_plain,
                duration_ms=row.duration_ms,
                channels=row.channels,
                sample_rate=row.sample_rate,
                problem=row.problem,
                peaks=bytes(row.peaks) if peaks else b"",
            ),
        )
    return {
        call.pk: CallFacts(
            call_id=call.pk,
            user_id=call.user_id,
            direction=call.direction,
            language=call.language,
            tags=tuple(call.tags),
            group=call.group,
            duration_ms=call.duration_ms,
            recording=recordings.get(call.pk),
            username=call.user.username if call.user is not None else "",
            channel=call.channel,
            queue_name=call.queue_name,
            external_id=call.external_id,
            started_at=call.started_at,
            transcription_state=call.transcription_state,
            quiet=tuple((event["start_ms"], event["end_ms"]) for event in call.hold_events),
        )
        for call in Call.objects.filter(pk__in=ids).select_related("user").only(*FACTS)
    }


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A conversation that a walk met: ``at`` its time in the order of the walk, ``duration_ms`` of audio, None without."""

    call_id: uuid.UUID
    at: datetime
    duration_ms: int | None
    channel: str = Channel.VOICE.value

    @property
    def record_type(self) -> RecordType:
        """As queues and records name it."""
        return RecordType.CALL if self.channel == Channel.VOICE else RecordType.CONVERSATION


def calls_by_start(
    *,
    after: tuple[datetime, uuid.UUID] | None,
    stored_until: datetime,
    started: tuple[datetime | None, datetime | None],
    count: int,
    of: Q = SPOKEN,
) -> list[StoredCall]:
    """At most ``count`` calls in the order of start and id, behind ``after``; those stored by ``stored_until`` only.

    ``started`` bounds their start: from the first (inclusive) to the second (exclusive). ``of`` says which
    conversations: SPOKEN, WRITTEN, or all by an empty Q(). One query by key.
    """
    low, high = started
    calls = Call.objects.filter(of, created_at__lte=stored_until)
    if low is not None and (after is None or low > after[0]):
        calls = calls.filter(started_at__gte=low)
    if high is not None:
        calls = calls.filter(started_at__lt=high)
    return _walked(calls, "started_at", after, count)


def calls_by_change(
    *,
    after: tuple[datetime, uuid.UUID] | None,
    since: datetime | None,
    until: datetime,
    count: int,
    of: Q = SPOKEN,
) -> list[StoredCall]:
    """At most ``count`` calls stored or changed in (``since``, ``until``], in that order and by id, behind ``after``.

    ``of`` as for ``calls_by_start``.
    """
    calls = Call.objects.filter(of, changed_at__lte=until)
    if since is not None:
        calls = calls.filter(changed_at__gt=since)
    return _walked(calls, "changed_at", after, count)


def _walked(calls: TenantQuerySet, time: str, after: tuple[datetime, uuid.UUID] | None, count: int) -> list[StoredCall]:
    if after is not None:
        # The first condition lets the index find the place, the second leaves out what was met at the same time.
        calls = calls.filter(**{f"{time}__gte": after[0]}).filter(Q(**{f"{time}__gt": after[0]}) | Q(pk__gt=after[1]))
    first = Recording.objects.filter(call=OuterRef("pk")).order_by("pk").values("duration_ms")[:1]
    rows = calls.order_by(time, "pk").annotate(audio_ms=Subquery(first)).values_list("pk", time, "audio_ms", "channel")
    return [StoredCall(*row) for row in rows[:count]]


def matching(calls: TenantQuerySet, text: str, *, user: User) -> TenantQuerySet:
    """Narrow ``calls`` to those with ``text`` in names, numbers, addresses, external id, a transcript or messages.

    What ``user`` may not read is not searched: the hit alone would tell what was said or written (domain L13).
    Full-text search understands "phrases", OR and -without; it uses the indexes of current transcripts and threads.
    """
    found = Q(external_id__icontains=text)
    for name in ("from_number", "from_name", "to_number", "to_name"):
        found |= Q(**{f"{name}__icontains": text})
    found |= Q(pk__in=Thread.objects.filter(people__icontains=text).order_by().values("pk"))
    hits = Q(pk__in=_hits(text).values("call_id")) | Q(pk__in=_hits_in_threads(text).values("pk"))
    narrowed: TenantQuerySet = calls.filter(found | (hits & _readable(user)))
    return narrowed


def snippets(call_ids: Iterable[uuid.UUID], text: str) -> dict[uuid.UUID, str]:
    """For those whose transcript or messages match: a short extract, hits between HIT_START and HIT_END."""
    ids = list(call_ids)
    headline = SearchHeadline(
        "text",
        _query(text),
        config="simple",
        start_sel=HIT_START,
        stop_sel=HIT_END,
        max_words=22,
        min_words=8,
        max_fragments=1,
    )
    spoken = _hits(text).filter(call_id__in=ids).annotate(snippet=headline).values_list("call_id", "snippet")
    written = _hits_in_threads(text).filter(pk__in=ids).annotate(snippet=headline).values_list("pk", "snippet")
    return dict([*spoken, *written])


DASHES = re.compile(r"-(?:[\s-]*-)+")


def _query(text: str) -> SearchQuery:
    """The words of a search. A run of dashes means one: PostgreSQL's parser gives up on some thirty "not"s in a row."""
    return SearchQuery(DASHES.sub("-", text), config="simple", search_type="websearch")


def _hits(text: str) -> TenantQuerySet:
    return _matched(Transcript.objects.filter(is_current=True), text)


def _hits_in_threads(text: str) -> TenantQuerySet:
    return _matched(Thread.objects.all(), text)


def _matched(rows: TenantQuerySet, text: str) -> TenantQuerySet:
    vector = SearchVector("text", config="simple")
    hits: TenantQuerySet = rows.annotate(vector=vector).filter(vector=_query(text)).order_by()
    return hits

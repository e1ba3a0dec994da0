"""Changes to calls: taking them in, storing their transcripts, tagging and deleting. Each is one transaction.

Threads are taken in by ``conversations.threads.services``; tagging and deleting are the same for both.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.db.models import Max, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import key_of
from audit.services import append
from conversations.audio import delete_recording, pack_peaks, save_recording, storage_key, tenant_folder
from conversations.executions import erase_texts
from conversations.fields.editing import erase_values
from conversations.intake import Prepared, preparing
from conversations.metadata import MAX_TAGS, CallMetadata, duration_lies
from conversations.models import Call, Channel, Recording, Transcript, TranscriptionState
from conversations.preparing import PreparedTranscript
from conversations.trials import erase_trials
from core.errors import Conflict, InvalidInput
from core.ids import uuid7
from queues.events import Event, RecordType
from queues.services import publish
from tenants.doors import WrongTenant, current_tenant
from tenants.keys import data_key
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class NewTranscript:
    """One transcript to store, prepared before the transaction (conversations.preparing).

    ``heard_language``: its language was found out by listening, so that a call without one gets it.
    """

    call_id: uuid.UUID
    prepared: PreparedTranscript
    engine_name: str
    heard_language: bool = False


def ingest_call(
    *, tenant: Tenant, metadata: CallMetadata, audio_path: Path | None, label: str, actor: str, source: str
) -> Call:
    """Take a call in, with its audio when there is a file, and publish “Created” and “Recording finished”.

    The audio is judged and encrypted before the transaction, so that no decoder and no disk is waited for inside it;
    when the transaction fails, the file goes too: no row, no file. ``label`` is the name the file came with,
    ``source`` says by which way it came. A file that is audio but cannot be decoded is kept as it came, with the
    problem on its recording: the job then says why the call has no transcript.

    Raises InvalidInput naming the field for broken rules, an unknown user, a duplicate external id, a duplicate of
    another call's audio, a file that is no audio, and a claimed duration that lies (more than 2 s and 5 % off).
    """
    _inside(tenant)
    with preparing(audio_path) as prepared:
        user = check_call(tenant=tenant, metadata=metadata, prepared=prepared)
        call = new_call(metadata, user, prepared)
        if prepared is None:
            return _save_call(tenant, call, None, actor, source)
        recording = new_recording(tenant, call, prepared, label)
        recording.bytes_plain = save_recording(prepared.path, recording.storage_key, data_key(tenant))
    return _save_call(tenant, call, recording, actor, source)


def check_call(*, tenant: Tenant, metadata: CallMetadata, prepared: Prepared | None) -> User | None:
    """Hold a call to the rules that need the database or the decoded audio; return its user. Stores nothing.

    Raises InvalidInput as ``ingest_call`` does.
    """
    user = None
    if metadata.username:
        user = User.objects.filter(tenant=tenant, username_key=key_of(metadata.username)).first()
        if user is None:
            raise InvalidInput("username", _("There is no user with this name in the tenant."))
    if Call.objects.filter(external_id=metadata.external_id.strip()).exists():
        raise InvalidInput("external_id", _("There is a call with this external id already."))
    if prepared is None:
        return user
    recorded = Call.objects.filter(recordings__sha256=prepared.sha256, recordings__may_repeat=False)
    twin = recorded.values_list("external_id", flat=True).first()
    if twin is not None:
        raise _same_audio(twin)
    claimed = metadata.duration_s
    if prepared.facts is not None and claimed is not None and duration_lies(claimed, prepared.facts.duration_ms):
        decoded = f"{prepared.facts.duration_ms / 1000:.1f}"
        message = _("The file holds %(decoded)s seconds of audio, which is not what was declared.")
        raise InvalidInput("duration", message % {"decoded": decoded})
    return user


def _same_audio(external_id: str) -> InvalidInput:
    message = _("The same audio belongs to the call “%(external_id)s” already.")
    return InvalidInput("audio", message % {"external_id": external_id})


def _inside(tenant: Tenant) -> None:
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("The call belongs to another tenant than the one that was entered.")


def new_call(metadata: CallMetadata, user: User | None, prepared: Prepared | None) -> Call:
    """A call that is not stored yet."""
    facts = prepared.facts if prepared else None
    claimed_ms = round((metadata.duration_s or 0) * 1000)
    length = timedelta(milliseconds=facts.duration_ms if facts else claimed_ms)
    return Call(
        external_id=metadata.external_id.strip(),
        channel=metadata.channel,
        direction=metadata.direction,
        started_at=metadata.started_at,
        ended_at=metadata.started_at + length if length else None,
        duration_ms=facts.duration_ms if facts else 0,
        from_number=metadata.from_number,
        from_name=metadata.from_name,
        to_number=metadata.to_number,
        to_name=metadata.to_name,
        user=user,
        group=metadata.group or (user.group if user else ""),
        queue_name=metadata.queue_name,
        language=metadata.language,
        tags=list(metadata.tags),
        hold_events=[
            {"type": event.type, "start_ms": round(event.start_s * 1000), "end_ms": round(event.end_s * 1000)}
            for event in sorted(metadata.hold_events, key=lambda event: (event.start_s, event.end_s))
        ],
        confidential=metadata.confidential,
    )


def new_recording(tenant: Tenant, call: Call, prepared: Prepared, label: str) -> Recording:
    """A recording that is not stored yet, with the place where its file goes; its size is not known yet."""
    identity = uuid7()
    recording = Recording(
        pk=identity,
        call=call,
        storage_key=storage_key(tenant.pk, identity),
        sha256=prepared.sha256,
        label=clean_label(label),
        mime="application/octet-stream",
        problem=prepared.problem,
        problem_detail=prepared.problem_detail[:200],
    )
    if prepared.facts is not None:
        recording.mime = prepared.facts.canonical_mime
        recording.codec = prepared.facts.codec[:40]
        recording.channels = prepared.facts.channels
        recording.sample_rate = prepared.facts.sample_rate
        recording.duration_ms = prepared.facts.duration_ms
        recording.peaks = pack_peaks(prepared.facts.peaks)
    return recording


def clean_label(name: str) -> str:
    """A file name as a label: its last part, printable, at most 255 characters. Nothing is stored under it (3C10)."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:255]


def _save_call(tenant: Tenant, call: Call, recording: Recording | None, actor: str, source: str) -> Call:
    try:
        with transaction.atomic(), _file_goes_with(recording):
            call.save(force_insert=True)
            if recording is not None:
                recording.save(force_insert=True)
            details: dict[str, Any] = {"external_id": call.external_id, "source": source}
            if recording is not None:
                details |= {"bytes": recording.bytes_plain, "duration_ms": recording.duration_ms}
                details |= {"problem": recording.problem} if recording.problem else {}
            _audit(tenant, actor, "call.created", str(call.pk), details)
            publish(tenant=tenant, event=Event.CALL_CREATED, record_ids=[call.pk])
            # Also for a call without audio: its recording is over, and the job says that there is none.
            publish(tenant=tenant, event=Event.CALL_RECORDING_FINISHED, record_ids=[call.pk])
    except IntegrityError as error:
        # Somebody stored the same call between our check and our insert.
        if "sha256" in str(error):
            raise InvalidInput("audio", _("The same audio belongs to another call already.")) from None
        if "external_id" in str(error):
            raise InvalidInput("external_id", _("There is a call with this external id already.")) from None
        raise
    return call


@contextmanager
def _file_goes_with(recording: Recording | None) -> Iterator[None]:
    """Remove the audio file when the block fails. Stands inside the transaction on purpose: a failure before COMMIT
    is certain, one at COMMIT may have committed; what that leaves is decided by the sweep."""
    try:
        yield
    except BaseException:
        if recording is not None:
            delete_recording(recording.storage_key)
        raise


def _audit(
    tenant: Tenant, actor: str, action: str, target_id: str, details: dict[str, Any], target_type: str = "call"
) -> None:
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=action,
        target_type=target_type,
        target_id=target_id,
        details=details,
    )


@transaction.atomic
def store_transcripts(*, tenant: Tenant, items: Sequence[NewTranscript]) -> dict[uuid.UUID, int]:
    """Store a new current version for each call, mark the calls completed and publish “Transcription completed”.

    Returns the number of the version of each call that was there.

    Runs in the caller's transaction with a fixed number of statements, whatever the number of calls, and only inserts:
    what costs time was done by ``prepare_transcript``. A call that was deleted in the meantime is left out. At most
    one item a call.
    """
    _inside(tenant)
    # Locked in one order, so that two batches with common calls wait for each other instead of deadlocking, and so
    # that two versions never get one number.
    wanted = sorted(item.call_id for item in items)
    locked = Call.objects.select_for_update().filter(pk__in=wanted).order_by("pk")
    there: set[uuid.UUID] = set(locked.values_list("pk", flat=True))
    if not there:
        return {}
    before = dict(
        Transcript.objects.filter(call_id__in=there).order_by().values_list("call_id").annotate(Max("version"))
    )
    versions = {call_id: before.get(call_id, 0) + 1 for call_id in there}
    Transcript.objects.filter(call_id__in=there, is_current=True).update(is_current=False)
    Transcript.objects.bulk_create(
        [_new_transcript(item, versions[item.call_id]) for item in items if item.call_id in there]
    )
    Call.objects.filter(pk__in=there).update(
        transcription_state=TranscriptionState.COMPLETED, transcription_reason="", transcription_at=Now()
    )
    heard = [item.call_id for item in items if item.heard_language and item.prepared.language]
    if heard:
        found = Transcript.objects.filter(call=OuterRef("pk"), is_current=True).values("language")[:1]
        Call.objects.filter(pk__in=heard, language="").update(language=Subquery(found))
    publish(tenant=tenant, event=Event.CALL_TRANSCRIPTION_COMPLETED, record_ids=sorted(there))
    return versions


def _new_transcript(item: NewTranscript, version: int) -> Transcript:
    prepared, packed = item.prepared, item.prepared.packed
    return Transcript(
        call_id=item.call_id,
        version=version,
        engine_name=item.engine_name[:120],
        engine_model=prepared.model,
        language=prepared.language,
        duration_ms=prepared.duration_ms,
        turn_count=packed.turn_count,
        word_count=packed.word_count,
        body=packed.body,
        text=packed.text,
        health_score=prepared.health.score,
        health_flags=list(prepared.health.figures),
        health_figures=dict(prepared.health.figures),
    )


@transaction.atomic
def set_transcription_states(*, states: dict[uuid.UUID, tuple[str, str]]) -> None:
    """Show what a job decided: (state, reason code) per call id. One UPDATE for each distinct pair.

    A call that has a current transcript stays completed: a second job that skips it, or a retry that fails, takes
    nothing away from it. Only one that shall be transcribed anew (state “none”) waits and is in progress again; when
    that comes to nothing, it is completed as before.
    """
    # Locked before the look at the transcripts: an UPDATE that waited for store_transcripts would still see the
    # transcripts as they were when it began.
    list(Call.objects.select_for_update().filter(pk__in=states).order_by("pk").values_list("pk", flat=True))
    current = Transcript.objects.filter(call_id__in=states, is_current=True)
    readable = set(current.values_list("call_id", flat=True))
    groups: dict[tuple[str, str, bool], list[uuid.UUID]] = {}
    for call_id, (state, reason) in states.items():
        kept = call_id in readable and state != TranscriptionState.NONE
        begins = kept and state == TranscriptionState.IN_PROGRESS
        shown = (TranscriptionState.COMPLETED, "") if kept and not begins else (state, reason)
        groups.setdefault((*shown, begins), []).append(call_id)
    for (state, reason, begins), call_ids in sorted(groups.items()):
        # The same again is no change: its moment stays.
        same = Q(transcription_state=state, transcription_reason=reason[:80])
        waiting = Q(transcription_state=TranscriptionState.NONE) if begins else Q()
        Call.objects.filter(waiting, pk__in=call_ids).exclude(same).update(
            transcription_state=TranscriptionState(state), transcription_reason=reason[:80], transcription_at=Now()
        )


RETAG = """
UPDATE conversations_call AS call SET tags = made.tags
FROM (
    SELECT id, CASE WHEN %(assign)s = '' OR %(assign)s = ANY(tags) OR cardinality(tags) >= %(limit)s THEN tags
        ELSE array_append(tags, %(assign)s) END AS tags
    FROM (SELECT id, array_remove(tags, %(clear)s) AS tags FROM conversations_call
          WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE) AS kept
) AS made
WHERE call.id = made.id AND call.tags IS DISTINCT FROM made.tags
RETURNING call.id, call.channel
"""


@transaction.atomic
def retag_calls(*, tenant: Tenant, call_ids: Sequence[uuid.UUID], clear: str, assign: str) -> int:
    """Take the tag ``clear`` from calls or threads and give them ``assign`` (empty: neither); return how many changed.

    One statement and, for those that changed, “Updated” to the queues. A call that has as many tags as a call may have
    gets no further one.
    """
    _inside(tenant)
    values: dict[str, Any] = {"ids": list(call_ids), "clear": clear, "assign": assign, "limit": MAX_TAGS}
    with connection.cursor() as cursor:
        cursor.execute(RETAG, values)
        changed = sorted(cursor.fetchall())
    for event, wanted in ((Event.CALL_UPDATED, False), (Event.CONVERSATION_UPDATED, True)):
        ids = [pk for pk, channel in changed if (channel != Channel.VOICE) is wanted]
        if ids:
            publish(tenant=tenant, event=event, record_ids=ids)
    return len(changed)


@transaction.atomic
def delete_call(*, tenant: Tenant, call_id: uuid.UUID, actor: str) -> None:
    """Delete a call with recordings and transcripts, or a thread; audio files go once that is committed.

    Raises Conflict when it is gone already. A crash between commit and removal leaves files to the sweep.
    """
    _inside(tenant)
    call = Call.objects.select_for_update().filter(pk=call_id).first()
    if call is None:
        raise Conflict(_("The call was deleted already."))
    keys = list(Recording.objects.filter(call=call).values_list("storage_key", flat=True))
    erase_values(RecordType.CONVERSATION if call.is_written else RecordType.CALL, [call_id])
    erase_texts([call_id])
    erase_trials([call_id])
    call.delete()
    kind = "thread" if call.is_written else "call"
    details = {"external_id": call.external_id, "files": len(keys)}
    _audit(tenant, actor, f"{kind}.deleted", str(call_id), details, kind)
    event = Event.CONVERSATION_DELETED if call.is_written else Event.CALL_DELETED
    publish(tenant=tenant, event=event, record_ids=[call_id])
    for key in keys:
        transaction.on_commit(lambda key=key: delete_recording(key))  # type: ignore[misc]


def sweep_audio(*, tenant: Tenant, older_than: timedelta = timedelta(days=1)) -> int:
    """Remove audio files without a recording that are older than ``older_than``; return how many.

    They are left by a crash between file and row. A younger file may belong to a call that is just being taken in.
    """
    _inside(tenant)
    folder = tenant_folder(tenant.pk)
    try:
        _folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return 0
    removed, limit = 0, timezone.now() - older_than
    for start in range(0, len(names), 1000):
        keys = [f"{folder}/{name}" for name in names[start : start + 1000]]
        wanted = set(Recording.objects.filter(storage_key__in=keys).values_list("storage_key", flat=True))
        for key in keys:
            if key not in wanted and default_storage.get_modified_time(key) < limit:
                delete_recording(key)
                removed += 1
    return removed

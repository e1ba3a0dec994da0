"""The transcription kind: audio to a speech engine, its transcript into the tenant (architecture §4)."""

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.permissions import Permission
from conversations.audio import AudioUnavailable, extension_of, read_recording
from conversations.models import TranscriptionState
from conversations.preparing import prepare_transcript
from conversations.selectors import CallFacts, call_facts, calls_by_change, calls_by_start
from conversations.services import NewTranscript, retag_calls, set_transcription_states, store_transcripts
from core.errors import InvalidInput
from core.outcomes import EngineError, ErrorClass, Reason
from engines.selectors import obstacles_of, why_unusable
from jobs.conversation_facts import START_DAY
from jobs.custom_fields import custom_facts, refusal_text
from jobs.filters import days_between, judge_filters
from jobs.kinds import (
    Check,
    Claimed,
    Explained,
    Finished,
    Foreseen,
    Go,
    Hold,
    KindPaused,
    Order,
    Refuse,
    SettingField,
    StillPending,
    Stored,
    Submitted,
    Verdict,
    Walk,
)
from jobs.models import Record
from licensing.gates import GateResult
from licensing.ledger import Denied, foretell_each, reserve, settle
from licensing.ledger import Request as LedgerRequest
from licensing.models import Bundle, Meter
from licensing.selectors import licensed_users
from queues.events import Event, RecordType
from tenants.keys import data_key
from tenants.models import Tenant
from transcription.engines.base import AudioSource, Failed, Pending, Remote, Request
from transcription.engines.base import SpeechEngine as Adapter
from transcription.facts import FILTER_FIELDS, filter_facts
from transcription.models import SpeechEngine, Visibility
from transcription.selectors import EngineUnusable, adapter_for, circuit_key, open_circuits
from transcription.services import pause_engine, report_failing

CustomFacts = Mapping[uuid.UUID, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Payload:
    """What the provider calls need: the audio and its language; ``quiet`` spans (ms) are not transcribed."""

    audio: AudioSource
    language: str
    quiet: tuple[tuple[int, int], ...] = ()


class TranscriptionKind:
    """Registered in settings.JOB_KINDS."""

    key = "transcription"
    label = gettext_lazy("Transcription")
    record_types = (RecordType.CALL,)
    takes_again = False
    advised = None
    completed_event = Event.CALL_TRANSCRIPTION_COMPLETED
    filter_fields = FILTER_FIELDS
    start_day_field = START_DAY

    def clean_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A job needs an engine that exists."""
        engine = SpeechEngine.objects.filter(pk=values.get("engine") or 0).first()
        if engine is None:
            raise InvalidInput("engine", _("Choose the transcription engine of the job."))
        return {"engine": engine.pk, "ignore_moh": bool(values.get("ignore_moh"))}

    def describe(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The engine's name, and what is left out."""
        engine = SpeechEngine.objects.filter(pk=values.get("engine") or 0).first()
        return [
            (_("Transcription engine"), engine.name if engine else _("(deleted)")),
            (_("Ignore MoH"), _("Yes") if values.get("ignore_moh") else _("No")),
        ]

    def setting_fields(self) -> list[SettingField]:
        """The engine, and whether to leave out hold and waiting in the queue (domain T19)."""
        engines = [(str(pk), name) for pk, name in SpeechEngine.objects.order_by("name").values_list("pk", "name")]
        help_text = _(
            "Leaves out the words during hold and waiting in the queue, where the phone platform tells of these. "
            "The whole audio is still sent and counted."
        )
        return [
            SettingField("engine", _("Transcription engine"), engines),
            SettingField("ignore_moh", _("Ignore MoH"), help_text=help_text),
        ]

    def obstacles(self) -> dict[str, dict[str, str]]:
        """The engines that are disabled or paused."""
        return {"engine": obstacles_of(SpeechEngine)}

    def explain(
        self, settings: Mapping[str, Any], filters: Sequence[Mapping[str, Any]], tenant: Tenant, record_id: uuid.UUID
    ) -> Explained | None:
        """As a pass would judge the call now, without asking the ledger."""
        call = call_facts([record_id]).get(record_id)
        if call is None:
            return None
        licensed = licensed_users([call.user_id] if call.user_id else [], Bundle.SPEECH_ANALYTICS)
        custom = custom_facts(tenant, [record_id], filters)[record_id]
        _refused, trace = judge_filters(filters, filter_facts(tenant, call, licensed) | custom)
        problem = Reason.NO_AUDIO.value if call.recording is None else call.recording.problem
        amount = 0 if call.recording is None else _metered(call)
        checks = _engine_checks(settings, tenant)
        return Explained(checks, trace, Meter.TRANSCRIPTION_SECONDS, call.user_id, amount, problem)

    def foresee(
        self,
        settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
    ) -> dict[uuid.UUID, Foreseen]:
        """By the functions that a pass uses; the ledger is asked about each call as if it were the only one."""
        engine, calls = _engine(settings), call_facts(record_ids)
        users = {call.user_id for call in calls.values() if call.user_id is not None}
        licensed = licensed_users(users, Bundle.SPEECH_ANALYTICS)
        custom = custom_facts(tenant, calls, filters)
        refusals = {
            key: _unfit(call) or _refusal(tenant, engine, filters, call, licensed, custom[key])
            for key, call in calls.items()
        }
        fit = [key for key, refusal in refusals.items() if refusal is None]
        wishes = [(calls[key].user_id, _metered(calls[key])) for key in fit]
        denied = foretell_each(tenant_id=tenant.pk, meter=Meter.TRANSCRIPTION_SECONDS, wishes=wishes)
        foreseen = {key: Foreseen(reason or "") for key, reason in zip(fit, denied, strict=True)}
        return foreseen | {key: _foreseen(refusal) for key, refusal in refusals.items() if refusal is not None}

    def stored(self, tenant: Tenant, filters: Sequence[Mapping[str, Any]], walk: Walk) -> list[Stored]:
        """Calls, by start or by change; those of days that a filter on the start date leaves out are not met."""
        if walk.order == Order.CHANGED:
            calls = calls_by_change(after=walk.after, since=walk.since, until=walk.until, count=walk.count)
        else:
            started = days_between(filters, START_DAY, tenant.time_zone)
            calls = calls_by_start(after=walk.after, stored_until=walk.until, started=started, count=walk.count)
        return [Stored(call.call_id, call.at, _metered_seconds(call.duration_ms)) for call in calls]

    def price_per_minute(self, settings: Mapping[str, Any]) -> Decimal | None:
        """The price that stands at the engine."""
        prices = SpeechEngine.objects.filter(pk=settings.get("engine") or 0)
        return prices.values_list("price_per_minute", flat=True).first()

    def session(
        self,
        job_settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        *,
        request_timeout_s: int | None = None,
        conversation_timeout_s: float | None = None,
    ) -> "TranscriptionSession":
        """Open the job's engine. Raises KindPaused when it is gone, disabled or paused."""
        engine = _engine(job_settings)
        if not engine.enabled or engine.paused_at is not None:
            raise KindPaused(why_unusable(engine))
        adapter = _adapter(engine, request_timeout_s)
        return TranscriptionSession(engine, adapter, filters, ignore_moh=bool(job_settings.get("ignore_moh")))

    def cleanup_session(self, job_settings: Mapping[str, Any]) -> "TranscriptionSession":
        """Open the engine for deleting; a disabled or paused one still deletes."""
        engine = _engine(job_settings)
        return TranscriptionSession(engine, _adapter(engine), [])

    def cleanup_settings(self, job_settings: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Any]:
        """The engine that made the remote job, which the job may have left since."""
        return {"engine": remote.get("engine", job_settings["engine"])}

    def tag(self, tenant: Tenant, record_ids: Sequence[uuid.UUID], *, clear: str, assign: str) -> None:
        """On the calls."""
        retag_calls(tenant=tenant, call_ids=record_ids, clear=clear, assign=assign)

    def mark(self, tenant: Tenant, states: Mapping[uuid.UUID, tuple[str, str]]) -> None:
        """Show state and reason on the calls; a completed one is marked together with its transcript."""
        shown: dict[uuid.UUID, tuple[str, str]] = {
            call_id: (TranscriptionState(state), reason)
            for call_id, (state, reason) in states.items()
            if state != Record.State.COMPLETED
        }
        if shown:
            set_transcription_states(states=shown)


class TranscriptionSession:
    """One engine, opened for a pass or a clean-up."""

    many_requests = False

    def __init__(
        self,
        engine: SpeechEngine,
        adapter: Adapter,
        filters: Sequence[Mapping[str, Any]],
        *,
        ignore_moh: bool = False,
    ) -> None:
        self.engine, self.adapter, self.filters, self.ignore_moh = engine, adapter, filters, ignore_moh
        self.concurrency = adapter.concurrency
        self.circuit = circuit_key(engine)

    def load(self, tenant: Tenant, records: Sequence[Claimed]) -> dict[int, Verdict]:
        """Facts of the batch in one query a table; records that were uploaded already are not judged again (§4.2)."""
        facts = call_facts([record.record_id for record in records])
        users = {call.user_id for call in facts.values() if call.user_id is not None}
        licensed = licensed_users(users, Bundle.SPEECH_ANALYTICS)
        key = data_key(tenant)
        custom = custom_facts(tenant, facts, self.filters)
        verdicts = {
            record.id: self._verdict(tenant, record, facts.get(record.record_id), licensed, key, custom)
            for record in records
        }
        passed = [r for r in records if r.stage == Record.Stage.NEW and isinstance(verdicts[r.id], Go)]
        requests = [self._request(record, facts[record.record_id]) for record in passed]
        outcomes = reserve(tenant_id=tenant.pk, meter=Meter.TRANSCRIPTION_SECONDS, requests=requests)
        return verdicts | {
            record.id: _denied(outcome)
            for record in passed
            if isinstance(outcome := outcomes[record.id, record.generation], Denied)
        }

    def _request(self, record: Claimed, call: CallFacts) -> LedgerRequest:
        """What is metered: the decoded audio in whole seconds, rounded up; stereo counts once (domain C27)."""
        return LedgerRequest(
            record=record.id,
            generation=record.generation,
            subject_id=record.record_id,
            user_id=call.user_id,
            amount=_metered(call),
            engine=self.engine.name,
            language=call.language or "en-US",
        )

    def _verdict(
        self,
        tenant: Tenant,
        record: Claimed,
        call: CallFacts | None,
        licensed: set[uuid.UUID],
        key: bytes,
        custom: CustomFacts,
    ) -> Verdict:
        if call is None:
            return Refuse(Record.State.SKIPPED, Reason.NO_AUDIO, _("The call does not exist any more"))
        refusal = _unfit(call)
        if refusal is None and record.stage == Record.Stage.NEW:
            refusal = _refusal(tenant, self.engine, self.filters, call, licensed, custom[call.call_id])
        if refusal is not None:
            return refusal
        source = _source(call, key)
        quiet = call.quiet if self.ignore_moh else ()
        return Go(Payload(source, call.language or "en-US", quiet), source.duration_ms / 1000)

    async def open(self) -> None:
        """Open the adapter."""
        await self.adapter.open()

    async def close(self) -> None:
        """Close the adapter."""
        await self.adapter.close()

    async def submit(self, record: Claimed, payload: Payload) -> Submitted:
        """Upload under our reference. Audio that cannot be read is found before the provider hears of it."""
        try:
            audio = await asyncio.to_thread(_begun, payload.audio)
        except AudioUnavailable as error:
            raise EngineError(ErrorClass.INPUT, str(error), code="audio_unavailable") from error
        remote = await self.adapter.submit(audio, Request(payload.language, record.reference))
        return Submitted({"id": remote.external_id, "engine": self.engine.pk}, remote.check_after_s)

    async def advance(self, record: Claimed, payload: Payload) -> StillPending | Finished:
        """One check; a finished job is fetched at once."""
        remote = _remote(record.remote)
        if record.remote is not None and record.remote.get("engine", self.engine.pk) != self.engine.pk:
            raise EngineError(ErrorClass.LOST, "The job has another engine now.", code="engine_changed")
        state = await self.adapter.poll(remote)
        if isinstance(state, Pending):
            return StillPending(state.check_after_s)
        if isinstance(state, Failed):
            raise state.error
        data = await self.adapter.fetch(remote)
        # Normalising and packing take processor time: not in the event loop, and not in the commit's transaction.
        return Finished(await asyncio.to_thread(prepare_transcript, data, payload.audio.duration_ms, payload.quiet))

    async def look_up(self, references: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """Ask the provider for its jobs under these references."""
        found = await self.adapter.find(references)
        return {
            reference: [{"id": job.external_id, "engine": self.engine.pk} for job in jobs]
            for reference, jobs in found.items()
        }

    async def clean_up(self, remote: dict[str, Any]) -> None:
        """Delete the job at the provider."""
        await self.adapter.cleanup(_remote(remote))

    def tend(self, calls: int) -> None:
        """The pass holds all that there is to share."""

    def leave(self) -> None:
        """Nothing was taken."""

    def commit(self, tenant: Tenant, finished: Sequence[tuple[Claimed, Any]]) -> Mapping[int, Sequence[GateResult]]:
        """Store the transcripts and charge for them, in the transaction of the record states."""
        if finished:
            store_transcripts(
                tenant=tenant,
                items=[NewTranscript(record.record_id, result, self.engine.name) for record, result in finished],
            )
            settle(
                tenant_id=tenant.pk,
                meter=Meter.TRANSCRIPTION_SECONDS,
                keys=[(record.id, record.generation) for record, _result in finished],
            )
        return {}

    def usable(self) -> bool:
        """True while the engine is as it was when the session was made."""
        same = SpeechEngine.objects.filter(pk=self.engine.pk, version=self.engine.version)
        return same.filter(enabled=True, paused_at__isnull=True).exists()

    def on_config_error(self, error: EngineError) -> None:
        """Pause the engine once."""
        pause_engine(engine_id=self.engine.pk, version=self.engine.version, reason=error.message)

    def on_circuit_opened(self, reason: str) -> None:
        """One row in the audit trail and one line of the worker's log; the pages show it while it lasts."""
        report_failing(engine=self.engine, reason=reason)


def _engine(job_settings: Mapping[str, Any]) -> SpeechEngine:
    engine = SpeechEngine.objects.select_related("tenant").filter(pk=job_settings["engine"]).first()
    if engine is None:
        raise KindPaused(_("The engine of this job was deleted."))
    return engine


def _open_to(engine: SpeechEngine, tenant: Tenant) -> bool:
    return engine.visibility != Visibility.ONE_TENANT or engine.tenant_id == tenant.pk


def _engine_checks(job_settings: Mapping[str, Any], tenant: Tenant) -> tuple[Check, ...]:
    """The engine as a pass meets it. Neither its name nor why it is paused: tenants read this."""
    where = {"route": "transcription:engines", "right": Permission.ENGINES_VIEW}
    label = _("Speech engine")
    try:
        engine = _engine(job_settings)
    except KindPaused:
        advice = _("Choose an enabled engine in the settings of the job")
        return (Check(label, _("deleted"), _("enabled"), False, advice, "jobs:jobs", Permission.JOBS_VIEW),)
    state, advice = _("enabled"), ""
    if not engine.enabled:
        state, advice = _("disabled"), _("Enable the engine")
    elif engine.paused_at is not None:
        state, advice = _("paused"), _("Mend its settings; Save and Test lets it go on.")
    elif engine.pk in open_circuits():
        state = _("failing: nothing is sent to it until it has answered a probe")
        advice = _("It goes on by itself when the engine answers. Or try the engine now")
    else:
        try:
            adapter_for(engine)
        except EngineUnusable:
            state, advice = _("not usable"), _("Edit and save the engine")
    visible = _open_to(engine, tenant)
    seen = _("all tenants") if engine.visibility != Visibility.ONE_TENANT else _("this tenant")
    return (
        Check(
            _("Visibility of the engine"),
            seen if visible else _("another tenant"),
            _("this tenant"),
            visible,
            _("Choose an engine that this tenant may use"),
            **where,
        ),
        Check(label, state, _("enabled"), not advice, advice, **where),
    )


def _adapter(engine: SpeechEngine, request_timeout_s: int | None = None) -> Adapter:
    try:
        return adapter_for(engine, request_timeout_s)
    except EngineUnusable as error:
        raise KindPaused(f"{engine.name}: {error}") from error


def _unfit(call: CallFacts) -> Refuse | None:
    """Why there is nothing to transcribe, whatever the job says."""
    if call.recording is None:
        return Refuse(Record.State.SKIPPED, Reason.NO_AUDIO, str(Reason.NO_AUDIO.label))
    if call.recording.problem:
        return Refuse(Record.State.FAILED, call.recording.problem, Reason.label_of(call.recording.problem))
    return None


def _refusal(
    tenant: Tenant,
    engine: SpeechEngine,
    filters: Sequence[Mapping[str, Any]],
    call: CallFacts,
    licensed: set[uuid.UUID],
    custom: Mapping[str, Any],
) -> Refuse | None:
    """The job's filters discard early; the gates always run, in the ledger (domain §4.3)."""
    reason, trace = judge_filters(filters, {**filter_facts(tenant, call, licensed), **custom})
    if reason is None and not _open_to(engine, tenant):
        reason = f"{Reason.FILTERED}:engine.visibility"
    if reason is None:
        return None
    return Refuse(Record.State.SKIPPED, reason, refusal_text(reason, trace, FILTER_FIELDS), trace)


def _foreseen(refusal: Refuse) -> Foreseen:
    clause = refusal.trace[-1] if refusal.trace and not refusal.trace[-1].passed else None
    return Foreseen(refusal.reason, clause)


def _metered(call: CallFacts) -> int:
    assert call.recording is not None
    return _metered_seconds(call.recording.duration_ms)


def _metered_seconds(duration_ms: int | None) -> int:
    """Whole seconds, rounded up, at least one; nothing where there is no audio."""
    return 0 if duration_ms is None else max(-(-duration_ms // 1000), 1)


def _denied(outcome: Denied) -> Verdict:
    """A gate of the ledger said no: the record is skipped, or waits where the tenant's policy is to hold."""
    detail = Reason.label_of(outcome.reason)
    if outcome.hold_until is not None:
        return Hold(outcome.hold_until, outcome.reason, detail)
    return Refuse(Record.State.SKIPPED, outcome.reason, detail)


def _remote(handle: dict[str, Any] | None) -> Remote:
    assert handle is not None, "a record in stage checking has a handle"
    return Remote(external_id=str(handle["id"]))


def _source(call: CallFacts, key: bytes) -> AudioSource:
    recording = call.recording
    assert recording is not None
    opener = partial(read_recording, recording.storage_key, key)
    name = f"{call.call_id}.{extension_of(recording.mime)}"
    return AudioSource(name, recording.mime, recording.bytes_plain, recording.duration_ms, recording.channels, opener)


def _begun(audio: AudioSource) -> AudioSource:
    """The same audio with its first piece read: the file is opened once, unless the engine opens it again."""
    pieces = audio.open()
    first = next(pieces, b"")
    begun = [chain([first], pieces)]
    return replace(audio, open=lambda: begun.pop() if begun else audio.open())

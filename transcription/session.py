"""One speech engine at work: audio goes up, checks come back, transcripts are stored and charged for."""

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from django.utils.translation import gettext as _

from conversations.audio import AudioUnavailable, extension_of, read_recording, unpack_peaks
from conversations.health.judging import Recorded
from conversations.preparing import prepare_transcript
from conversations.selectors import CallFacts, RecordingFacts, call_facts
from conversations.services import NewTranscript, store_transcripts
from core.outcomes import EngineError, ErrorClass, Reason
from core.transcripts import TranscriptData
from jobs.custom_fields import custom_facts
from jobs.models import Record
from jobs.verdicts import Claimed, Finished, Go, GoTo, PutOff, Refuse, StillPending, Submitted, Verdict
from licensing.gates import GateResult
from licensing.ledger import Denied, reserve, settle
from licensing.ledger import Request as LedgerRequest
from licensing.models import Bundle, Meter
from licensing.selectors import licensed_users
from tenants.keys import data_key
from tenants.models import Tenant
from transcription.chain import Chain
from transcription.engines.base import AudioSource, Failed, Pending, Remote
from transcription.engines.base import SpeechEngine as Adapter
from transcription.engines.options import Traits
from transcription.engines.tags import Wanted
from transcription.journal.noting import for_record
from transcription.judging import denied, metered, nowhere, refusal_of, traits_of, unfit
from transcription.language_strategy import LanguageRule
from transcription.links import link_of
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key
from transcription.services import pause_engine, report_failing
from transcription.talk_fields import write_talk

# How long a record waits whose own engine cannot be used, and that no other one may do.
AWAY_S = 30.0
CustomFacts = Mapping[uuid.UUID, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Payload:
    """What the provider calls need: the audio and its language; ``quiet`` spans (ms) are not transcribed.

    ``hold`` spans (ms) and ``peaks`` (as stored) are for judging the transcript.
    """

    audio: AudioSource
    wanted: Wanted
    quiet: tuple[tuple[int, int], ...] = ()
    hold: tuple[tuple[int, int], ...] = ()
    peaks: bytes = b""


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
        rule: LanguageRule | None = None,
        talk: Mapping[str, int] | None = None,
        chain: Chain | None = None,
        place: int = 0,
    ) -> None:
        self.engine, self.adapter, self.filters, self.ignore_moh = engine, adapter, filters, ignore_moh
        self.rule = rule or LanguageRule()
        self.talk = talk or {}
        self.chain, self.place = chain or Chain((engine.pk,), {engine.pk: engine}), place
        self.reference_mark = str(engine.pk)
        self.concurrency = adapter.concurrency
        self.circuit = circuit_key(engine)

    def load(self, tenant: Tenant, records: Sequence[Claimed]) -> dict[int, Verdict]:
        """Facts of the batch in one query a table; records that were uploaded already are not judged again (§4.2)."""
        facts = call_facts([record.record_id for record in records], peaks=True)
        users = {call.user_id for call in facts.values() if call.user_id is not None}
        licensed = licensed_users(users, Bundle.SPEECH_ANALYTICS)
        key = data_key(tenant)
        custom = custom_facts(tenant, facts, self.filters)
        verdicts = {
            record.id: self._verdict(tenant, record, facts.get(record.record_id), licensed, key, custom)
            for record in records
        }
        passed = [r for r in records if r.stage == Record.Stage.NEW and isinstance(verdicts[r.id], Go)]
        requests = [self._request(tenant, record, facts[record.record_id]) for record in passed]
        outcomes = reserve(tenant_id=tenant.pk, meter=Meter.TRANSCRIPTION_SECONDS, requests=requests)
        return verdicts | {
            record.id: denied(outcome)
            for record in passed
            if isinstance(outcome := outcomes[record.id, record.generation], Denied)
        }

    def _request(self, tenant: Tenant, record: Claimed, call: CallFacts) -> LedgerRequest:
        """What is metered: the decoded audio in whole seconds, rounded up; stereo counts once (domain C27).

        Of what is to be detected, the language is the one that the call has, if any.
        """
        return LedgerRequest(
            record=record.id,
            generation=record.generation,
            subject_id=record.record_id,
            user_id=call.user_id,
            amount=metered(call),
            engine=self.engine.name,
            language=traits_of(tenant, self.rule, call).language,
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
        refusal = unfit(call)
        if refusal is None and _is_new(record):
            refusal = refusal_of(
                tenant,
                self.chain,
                self.filters,
                call,
                licensed,
                custom[call.call_id],
                traits_of(tenant, self.rule, call),
            )
        if refusal is not None:
            return refusal
        assert call.recording is not None
        traits = traits_of(tenant, self.rule, call)
        elsewhere = self._elsewhere(tenant, record, traits)
        if elsewhere is not None:
            return elsewhere
        source = _source(call, call.recording, key)
        if self.adapter.fetches:
            # Where it will stand once it is sent, also when we stand in for another engine.
            sent = replace(record, place=self.place)
            source = replace(source, link=partial(link_of, sent, self.engine, call.recording.recording_id, source.name))
        quiet = call.quiet if self.ignore_moh else ()
        wanted = self.rule.wanted(tenant, call.language)
        payload = Payload(source, wanted, quiet, call.quiet, call.recording.peaks)
        return Go(
            payload, source.duration_ms / 1000, self.chain.onward(tenant, self.place, traits), self._moved(record)
        )

    def _elsewhere(self, tenant: Tenant, record: Claimed, traits: Traits) -> Refuse | GoTo | PutOff | None:
        """What becomes of a record that is not for this engine; None when it is. What was begun here is."""
        own = min(record.place, self.chain.last)
        if record.stage == Record.Stage.CHECKING or (own == self.place and record.stage != Record.Stage.NEW):
            return None
        target = self.chain.first_for(tenant, own, traits)
        if target is None:
            return nowhere(tenant, self.chain)
        if target < self.place:
            # We stand in for an engine that cannot be used; whom we are not for waits, unless it may go on.
            target = self.chain.first_for(tenant, self.place, traits)
        if target is None:
            return PutOff(AWAY_S, Record.Wait.ENGINE)
        return None if target == self.place else GoTo(target, self.chain.words(own, target))

    def _moved(self, record: Claimed) -> str:
        """Why this engine does what stands at another place; empty where it does not."""
        if record.stage == Record.Stage.CHECKING or record.place == self.place:
            return ""
        if record.place > self.place:
            return _("to “%(name)s”: its engine is none of this job any more") % {"name": self.engine.name}
        words = self.chain.words(record.place, self.place)
        return _("%(words)s: the first of these cannot be used now") % {"words": words}

    async def open(self) -> None:
        """Open the adapter."""
        await self.adapter.open()

    async def close(self) -> None:
        """Close the adapter."""
        await self.adapter.close()

    async def submit(self, record: Claimed, payload: Payload) -> Submitted | Finished:
        """Upload under our reference. Audio that cannot be read is found before the provider hears of it."""
        for_record(record.id)
        try:
            audio = await asyncio.to_thread(_begun, payload.audio)
        except AudioUnavailable as error:
            raise EngineError(ErrorClass.INPUT, str(error), code="audio_unavailable") from error
        remote = await self.adapter.submit(audio, self.adapter.request(payload.wanted, record.reference))
        if isinstance(remote, TranscriptData):
            return await self._prepared(remote, payload)
        return Submitted({"id": remote.external_id, "engine": self.engine.pk}, remote.check_after_s)

    async def advance(self, record: Claimed, payload: Payload) -> StillPending | Finished:
        """One check; a finished job is fetched at once."""
        for_record(record.id)
        remote = _remote(record.remote)
        if record.remote is not None and record.remote.get("engine", self.engine.pk) != self.engine.pk:
            raise EngineError(ErrorClass.LOST, "The job has another engine now.", code="engine_changed")
        state = await self.adapter.poll(remote)
        if isinstance(state, Pending):
            return StillPending(state.check_after_s)
        if isinstance(state, Failed):
            raise state.error
        return await self._prepared(await self.adapter.fetch(remote), payload)

    async def _prepared(self, data: TranscriptData, payload: Payload) -> Finished:
        # Normalising, judging and packing take processor time: not in the event loop, nor in the commit's transaction.
        said = self.adapter.in_our_words(data, payload.wanted)
        recorded = Recorded(unpack_peaks(payload.peaks), payload.wanted.language or said.language, payload.hold)
        duration_ms = payload.audio.duration_ms
        prepare = partial(prepare_transcript, with_talk=bool(self.talk))
        return Finished(await asyncio.to_thread(prepare, said, duration_ms, payload.quiet, recorded))

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
            versions = store_transcripts(
                tenant=tenant,
                items=[
                    NewTranscript(record.record_id, result, self.engine.name, heard_language=self.rule.detects)
                    for record, result in finished
                ],
            )
            if self.talk:
                talks = [
                    (record.record_id, versions[record.record_id], result.talk)
                    for record, result in finished
                    if record.record_id in versions
                ]
                write_talk(tenant=tenant, fields=self.talk, talks=talks, engine=self.engine.name)
            settle(
                tenant_id=tenant.pk,
                meter=Meter.TRANSCRIPTION_SECONDS,
                keys=[(record.id, record.generation) for record, _result in finished],
                engine=self.engine.name,
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


def _is_new(record: Claimed) -> bool:
    """Whether it is judged: until it is first sent, wherever it stands."""
    return record.stage == Record.Stage.NEW and record.uploaded_at is None


def _remote(handle: dict[str, Any] | None) -> Remote:
    assert handle is not None, "a record in stage checking has a handle"
    return Remote(external_id=str(handle["id"]))


def _source(call: CallFacts, recording: RecordingFacts, key: bytes) -> AudioSource:
    opener = partial(read_recording, recording.storage_key, key)
    name = f"{call.call_id}.{extension_of(recording.mime)}"
    return AudioSource(name, recording.mime, recording.bytes_plain, recording.duration_ms, recording.channels, opener)


def _begun(audio: AudioSource) -> AudioSource:
    """The same audio with its first piece read: the file is opened once, unless the engine opens it again."""
    pieces = audio.open()
    first = next(pieces, b"")
    begun = [chain([first], pieces)]
    return replace(audio, open=lambda: begun.pop() if begun else audio.open())

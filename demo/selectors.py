"""How far the demo is, and how well it was recognised. Computed on what lies in the database."""

import uuid
from dataclasses import asdict, dataclass

from django.db import connection

from conversations.codec import unpack
from conversations.models import WRITTEN, Call, Transcript
from demo.assistant import JOB as ASSISTANT_JOB
from demo.manifest import CALLS, DemoCall, read_manifest
from demo.scoring import Errors, load_reference, normalise, word_errors
from jobs.models import JobDefinition, Record
from tenants.doors import enter
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Figures:
    """The demo's calls by what became of them; of calls and threads, those with text that AI tasks are still asked about."""

    calls: int = 0
    completed: int = 0
    skipped: int = 0
    failed: int = 0
    in_progress: int = 0
    to_analyse: int = 0

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)

    @property
    def final(self) -> bool:
        """Whether nothing more happens by itself."""
        return bool(self.calls) and not self.in_progress and not self.to_analyse


def figures() -> Figures:
    """Count the demo calls; one that is not in any final state, or not taken yet, is in progress."""
    states: dict[str, int] = {}
    total = to_analyse = 0
    for tenant, calls in _calls_by_tenant():
        with enter(tenant):
            named = [call.metadata()["external_id"] for call in calls]
            ids = set(Call.objects.filter(external_id__in=named).values_list("pk", flat=True))
            written = Call.objects.filter(WRITTEN, external_id__startswith="demo-")
            threads = set(written.values_list("pk", flat=True))
        total += len(ids)
        newest = Record.objects.filter(tenant=tenant, record_id__in=ids, job__kind="transcription").order_by("pk")
        ends = dict(newest.values_list("record_id", "state"))
        for state in ends.values():
            states[state] = states.get(state, 0) + 1
        completed_calls = {pk for pk, state in ends.items() if state == Record.State.COMPLETED}
        to_analyse += _to_analyse(tenant, completed_calls | threads)
    completed, skipped = states.get(Record.State.COMPLETED, 0), states.get(Record.State.SKIPPED, 0)
    failed = states.get(Record.State.FAILED, 0) + states.get(Record.State.ABORTED, 0)
    return Figures(total, completed, skipped, failed, total - completed - skipped - failed, to_analyse)


def _to_analyse(tenant: Tenant, with_text: set[uuid.UUID]) -> int:
    """How many of them the demo's AI job has not ended with; 0 when it was deleted or switched off."""
    job = JobDefinition.objects.filter(name=ASSISTANT_JOB, enabled=True).first()
    if job is None:
        return 0
    ended = Record.objects.filter(job=job, tenant=tenant, record_id__in=with_text).exclude(state="in_progress")
    return len(with_text) - ended.values("record_id").distinct().count()


@dataclass(frozen=True, slots=True)
class CallScore:
    """Word errors of one call; ``ended`` is how it ended, ``expected`` how it should have."""

    tenant: str
    name: str
    errors: Errors | None
    ended: str
    expected: str


def scores() -> list[CallScore]:
    """Compare every demo call with its reference text and its expected end."""
    found = []
    for tenant, calls in _calls_by_tenant():
        with enter(tenant):
            for call in calls:
                found.append(_score(tenant, call))
    return found


@dataclass(frozen=True, slots=True)
class Storage:
    """What the demo's current transcripts take: rows as stored (compressed values included), without indexes."""

    transcripts: int
    row_bytes: int
    body_bytes: int
    audio_minutes: float


def storage() -> Storage:
    """Measure the transcripts of the demo tenants in their tables."""
    total = Storage(0, 0, 0, 0.0)
    for tenant, _calls in _calls_by_tenant():
        with enter(tenant), connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), coalesce(sum(pg_column_size(t.*)), 0), coalesce(sum(pg_column_size(body)), 0), "
                "coalesce(sum(duration_ms), 0) / 60000.0 FROM conversations_transcript t WHERE is_current"
            )
            number, rows, bodies, minutes = cursor.fetchone()
        total = Storage(
            total.transcripts + number,
            total.row_bytes + rows,
            total.body_bytes + bodies,
            total.audio_minutes + float(minutes),
        )
    return total


def _score(tenant: Tenant, demo_call: DemoCall) -> CallScore:
    call = Call.objects.filter(external_id=demo_call.metadata()["external_id"]).first()
    expected = f"{demo_call.expect.state} {demo_call.expect.reason}".strip()
    if call is None:
        return CallScore(tenant.slug, demo_call.name, None, "not loaded", expected)
    ended = f"{call.transcription_state} {call.transcription_reason}".strip()
    errors = None
    if demo_call.expect.state == Record.State.COMPLETED and demo_call.reference:
        errors = _errors(call, demo_call)
    return CallScore(tenant.slug, demo_call.name, errors, ended, expected)


def _errors(call: Call, demo_call: DemoCall) -> Errors:
    """Word errors summed over the channels; a call without transcript has lost every word."""
    spoken: dict[int, list[str]] = {}
    transcript = Transcript.objects.filter(call=call, is_current=True).first()
    if transcript is not None:
        for segment in unpack(bytes(transcript.body), transcript.text).segments:
            spoken.setdefault(segment.channel, []).extend(normalise(segment.text))
    total = Errors(0, 0, 0, 0)
    for channel, reference in load_reference(CALLS / str(demo_call.reference)).items():
        total = total + word_errors(reference, spoken.get(channel, []))
    return total


def _calls_by_tenant() -> list[tuple[Tenant, list[DemoCall]]]:
    manifest = read_manifest()
    tenants = Tenant.objects.filter(slug__in=[t.alias for t in manifest.tenants], state=Tenant.State.READY)
    return [(tenant, [c for c in manifest.calls if c.tenant == tenant.slug]) for tenant in tenants.order_by("slug")]

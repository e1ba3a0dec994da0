"""What must be true after a trial: the database, the ledger, the audit trail and the provider's journal agree."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Sum

from audit.verification import verify_chains
from conversations.models import Call, Transcript
from jobs.models import Cleanup, Record, RecordEvent
from jobs.passes.changes import MAX_UPLOADS
from licensing.models import Account, Entry, Reservation
from licensing.reconciling import iter_differences
from queues.models import QueueItem
from tenants.doors import enter
from tests.faults.harness.world import SECONDS_A_CALL, World

FINAL = ("completed", "failed", "skipped", "aborted")
CHECKS_BEYOND = 3


@dataclass
class Evidence:
    """What a trial published, and what the provider saw of it."""

    world: World
    published: dict[uuid.UUID, uuid.UUID]
    deleted: set[uuid.UUID] = field(default_factory=set)
    journal: list[dict[str, Any]] = field(default_factory=list)
    live: dict[str, str] = field(default_factory=dict)
    references: bool = True

    def records(self) -> list[Record]:
        """The records of what was published."""
        return list(Record.objects.filter(record_id__in=self.published).select_related("job"))


Rule = Callable[[Evidence, list[Record]], Iterable[str]]


def check(evidence: Evidence) -> list[str]:
    """Everything that is wrong, each with the rule's number; empty when all is well."""
    records = evidence.records()
    return [finding for rule in RULES for finding in rule(evidence, records)]


def ended_once(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R1: every published conversation has one record, in a final state that it came to once a generation."""
    of_call = Counter(record.record_id for record in records)
    for call in evidence.published:
        if of_call[call] != 1:
            yield f"R1 {call} has {of_call[call]} records"
    for record in records:
        if record.state not in FINAL:
            yield f"R1 record {record.pk} is {record.state}, {record.stage}, waits {record.wait}: {record.last_error}"
    ends = Counter(
        RecordEvent.objects.filter(record__in=records, step__in=FINAL).values_list("record_id", "generation")
    )
    for record in records:
        number = ends[record.pk, record.generation]
        if number != 1 and record.state in FINAL:
            yield f"R1 record {record.pk} ended {number} times in generation {record.generation}"


def shown(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R1, R3, R10: calls show what their records say; one transcript and one event for each that is completed."""
    events = set(
        QueueItem.objects.filter(queue=evidence.world.done, record_id__in=evidence.published).values_list(
            "record_id", flat=True
        )
    )
    by_tenant: dict[uuid.UUID, list[Record]] = defaultdict(list)
    for record in records:
        by_tenant[record.tenant_id].append(record)
    for place in evidence.world.places:
        with enter(place.tenant):
            ids = [record.record_id for record in by_tenant[place.tenant.pk]]
            calls = dict(Call.objects.filter(pk__in=ids).values_list("pk", "transcription_state"))
            texts = Counter(Transcript.objects.filter(call__in=ids).values_list("call_id", flat=True))
        for record in by_tenant[place.tenant.pk]:
            if record.record_id not in evidence.deleted:
                yield from _shown(
                    record, calls.get(record.record_id), texts[record.record_id], record.record_id in events
                )


def _shown(record: Record, state: str | None, texts: int, event: bool) -> Iterable[str]:
    if state != record.state and record.state in FINAL:
        yield f"R1 record {record.pk} is {record.state}, its call shows {state}"
    wanted = record.state == "completed"
    if texts != wanted:
        yield f"R10 record {record.pk} is {record.state} and has {texts} transcripts"
    if event != wanted:
        yield f"R3 record {record.pk} is {record.state}, the event for others is {'there' if event else 'missing'}"


def uploaded_once(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R7: one job a reference, and a second reference in a generation only after the provider lost the first job."""
    jobs: dict[str, set[str]] = defaultdict(set)
    for entry in evidence.journal:
        if entry["what"] == "submit" and entry.get("new") and entry["ref"]:
            jobs[entry["ref"]].add(entry["job"])
    for ref, made in jobs.items():
        if evidence.references and len(made) > 1:
            yield f"R7 {ref} became {len(made)} jobs"
    mine = {record.pk for record in records}
    generations = Counter(tuple(ref.split("-")[1:3]) for ref in jobs if ref.startswith("parlance-"))
    for (record, generation), number in generations.items():
        if int(record) in mine and number > MAX_UPLOADS:
            yield f"R7 record {record} was uploaded under {number} references in generation {generation}"


def checked_at_most(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R8: never more checks than the cap, by our count and, but for answers that got lost, by the provider's."""
    asked = Counter(entry["job"] for entry in evidence.journal if entry["what"] == "poll" and not entry["fault"])
    cap = max((record.job.max_checks for record in records), default=0)
    for record in records:
        if record.checks > record.job.max_checks:
            yield f"R8 record {record.pk} was checked {record.checks} times"
    for job, number in asked.items():
        if job and number > cap + CHECKS_BEYOND:
            yield f"R8 the provider was asked {number} times about {job}"


def left_nothing(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R9: nothing is left at the provider, and nothing is left to be deleted."""
    for job, ref in evidence.live.items():
        yield f"R9 {job} ({ref or 'without a reference'}) is left at the provider"
    if number := Cleanup.objects.count():
        yield f"R9 {number} clean-ups are left: {Cleanup.objects.first().last_error}"


def charged_once(evidence: Evidence, records: list[Record]) -> Iterable[str]:
    """R11: a completed generation is charged its seconds once, every other end never."""
    charges: dict[tuple[int, int], list[int]] = defaultdict(list)
    for record, generation, amount in Entry.objects.filter(
        record__in=[record.pk for record in records], step="settle"
    ).values_list("record", "generation", "amount"):
        charges[record, generation].append(amount)
    for record in records:
        wanted = [SECONDS_A_CALL] if record.state == "completed" else []
        found = charges.pop((record.pk, record.generation), [])
        if found != wanted:
            yield f"R11 record {record.pk} is {record.state} and was charged {found} instead of {wanted} seconds"
    for (record, generation), amounts in charges.items():
        yield f"R11 record {record} was charged {amounts} seconds in generation {generation}, which did not complete"


def reserved_nothing(_evidence: Evidence, _records: list[Record]) -> Iterable[str]:
    """R13: nothing stays reserved."""
    sums = Account.objects.aggregate(month=Sum("month_reserved"), life=Sum("life_reserved"))
    still = Reservation.objects.filter(state="open").count()
    if any(sums.values()) or still:
        yield f"R13 {still} reservations are open, counters say {sums}"


def books_agree(_evidence: Evidence, _records: list[Record]) -> Iterable[str]:
    """R14 and the audit trail."""
    for difference in iter_differences():
        yield f"R14 {difference}"
    for finding in verify_chains().findings:
        yield f"A3 {finding.kind}: {finding.text}"


RULES: list[Rule] = [
    ended_once,
    shown,
    uploaded_once,
    checked_at_most,
    left_nothing,
    charged_once,
    reserved_nothing,
    books_agree,
]

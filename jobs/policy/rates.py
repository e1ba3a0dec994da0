"""How many new records a job begins within a minute, in all and for one tenant: exact over all passes and workers.

A bucket has as many tokens as the rate says; each comes back a minute after it was spent. So no minute, wherever it
begins, sees more than the rate. What must wait gets the time at which its token comes back; nobody sleeps.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import DateTimeField, Func, Q

from jobs.models import JobDefinition, Record
from jobs.policy.models import RateWindow
from jobs.verdicts import Claimed

MINUTE_S = 60.0
Spent = list[list[float]]

MAKE = """
INSERT INTO jobs_ratewindow (job_id, tenant_id, spent, over_at)
SELECT %(job)s, tenant_id, '[]', 0 FROM unnest(%(tenants)s::uuid[]) AS wanted(tenant_id) ORDER BY tenant_id
ON CONFLICT (job_id, tenant_id) DO NOTHING
"""
LOCK = """
SELECT id, tenant_id, spent::text FROM jobs_ratewindow
WHERE job_id = %(job)s AND (tenant_id = ANY(%(tenants)s::uuid[]) OR (tenant_id IS NULL AND %(whole)s))
ORDER BY id FOR UPDATE
"""
WRITE = """
UPDATE jobs_ratewindow AS w SET spent = v.spent::jsonb, over_at = v.over_at
FROM unnest(%s::bigint[], %s::text[], %s::float8[]) AS v(id, spent, over_at) WHERE w.id = v.id
"""


@dataclass(frozen=True, slots=True)
class Later:
    """A record that must wait for a token, for ``delay_s`` seconds; ``wait`` says for whose."""

    record: Claimed
    wait: Record.Wait
    delay_s: float


@dataclass(slots=True)
class Admission:
    """What may begin now, and what later. ``at`` is the time under which the tokens were spent."""

    now: list[Claimed] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    at: float = 0.0


def counted(spent: Spent, now: float) -> Spent:
    """What still counts at the time ``now``."""
    return [[at, number] for at, number in spent if at > now - MINUTE_S and number > 0]


def free(spent: Spent, rate: int, now: float) -> int:
    """Tokens that are there at the time ``now``."""
    return max(rate - int(sum(number for _at, number in counted(spent, now))), 0)


def comes_back(spent: Spent, rate: int, now: float, place: int) -> float:
    """Seconds until the token for the one at ``place`` (from 0) of those who wait, once all that are there are gone."""
    live = counted(spent, now)
    # When the rate was lowered, more are out than there are; the first to come back are for nobody.
    surplus = max(int(sum(number for _at, number in live)) - rate, 0)
    rounds, rest = divmod(place, rate)
    index = surplus + rest
    for at, number in live:
        if index < number:
            return max(at - now, -MINUTE_S) + MINUTE_S * (rounds + 1)
        index -= int(number)
    return MINUTE_S * (rounds + 1)


def in_turn(records: Iterable[Claimed], weights: Mapping[uuid.UUID, int]) -> list[Claimed]:
    """The first of every tenant, then the second of every tenant, and so on; of heavier tenants more at a time."""
    places: Counter[uuid.UUID] = Counter()
    keyed = []
    for record in sorted(records, key=lambda record: record.id):
        places[record.tenant_id] += 1
        keyed.append((places[record.tenant_id] / weights.get(record.tenant_id, 1), record.id, record))
    return [record for _place, _id, record in sorted(keyed, key=lambda entry: entry[:2])]


def used_up(job: JobDefinition, tenant_id: uuid.UUID) -> list[tuple[Record.Wait, int, bool]]:
    """For each rate that ``job`` has: for whom it stands, how many a minute, and whether a new record must wait now."""
    limits = [(Record.Wait.RATE_JOB, None, job.rate), (Record.Wait.RATE_TENANT, tenant_id, job.tenant_rate)]
    windows = RateWindow.objects.filter(Q(tenant=None) | Q(tenant=tenant_id), job=job)
    clock = Func(function="clock_timestamp", output_field=DateTimeField())
    spent = {row.tenant_id: (row.spent, row.now.timestamp()) for row in windows.annotate(now=clock)}
    found = []
    for wait, key, rate in limits:
        if rate is not None:
            shut = key in spent and not free(spent[key][0], rate, spent[key][1])
            found.append((wait, rate, shut))
    return found


class Rates:
    """The rates of one job as a pass applies them; without any, everything may begin at once."""

    def __init__(self, job: JobDefinition, weights: Mapping[uuid.UUID, int]) -> None:
        self.job, self.weights = job, weights
        self.limits = {True: job.rate, False: job.tenant_rate}

    @property
    def unlimited(self) -> bool:
        """True when the job has neither rate."""
        return self.job.rate is None and self.job.tenant_rate is None

    def room(self, space: int) -> tuple[int, list[uuid.UUID]]:
        """How many of ``space`` new records may be taken in, and the tenants of whom none may: a look without a lock."""
        if self.unlimited:
            return space, []
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            now = float(cursor.fetchone()[0])
        shut = []
        for tenant_id, spent in RateWindow.objects.filter(job=self.job, over_at__gt=now).values_list("tenant", "spent"):
            rate = self.limits[tenant_id is None]
            if tenant_id is None and rate is not None:
                space = min(space, free(spent, rate, now))
            elif rate is not None and not free(spent, rate, now):
                shut.append(tenant_id)
        return min(space, self.job.rate or space), shut

    def room_of_sweep(self, space: int) -> int:
        """As ``room``; a sweep goes tenant by tenant, so it stops while a batch of records waits for the rates."""
        if self.unlimited:
            return space
        waits = (Record.Wait.RATE_JOB, Record.Wait.RATE_TENANT)
        waiting = Record.objects.filter(job=self.job, state=Record.State.IN_PROGRESS, wait__in=waits)
        if waiting[: self.job.batch_size].count() >= self.job.batch_size:
            return 0
        return self.room(space)[0]

    def spend(self, records: Sequence[Claimed]) -> Admission:
        """Spend a token of the job and one of the tenant for each record that may begin, in one transaction."""
        if self.unlimited or not records:
            return Admission(list(records))
        with transaction.atomic():
            rows, now = self._locked({record.tenant_id for record in records})
            admission = self._divide(in_turn(records, self.weights), rows, now)
            self._write(rows, now, Counter(record.tenant_id for record in admission.now))
        return admission

    def refund(self, admission: Admission, records: Sequence[Claimed]) -> None:
        """Give back the tokens of ``records`` that were refused: nothing was begun for them."""
        if self.unlimited or not records:
            return
        with transaction.atomic():
            rows, now = self._locked({record.tenant_id for record in records})
            back = Counter(record.tenant_id for record in records)
            self._write(rows, admission.at, Counter({tenant: -number for tenant, number in back.items()}), now)

    def _locked(self, tenants: set[uuid.UUID]) -> tuple[dict[uuid.UUID | None, tuple[int, Spent]], float]:
        """The rows, made when they are missing, and the time of the database once they are ours."""
        named: list[uuid.UUID | None] = sorted(tenants) if self.job.tenant_rate is not None else []  # type: ignore[assignment]
        whole = self.job.rate is not None
        values: dict[str, Any] = {"job": self.job.pk, "tenants": named, "whole": whole}
        with connection.cursor() as cursor:
            cursor.execute(LOCK, values)
            found = cursor.fetchall()
            if len(found) < len(named) + whole:
                cursor.execute(MAKE, {**values, "tenants": [*named, *([None] if whole else [])]})
                cursor.execute(LOCK, values)
                found = cursor.fetchall()
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            now = float(cursor.fetchone()[0])
        return {tenant: (pk, counted(orjson.loads(spent), now)) for pk, tenant, spent in found}, now

    def _divide(
        self, records: list[Claimed], rows: Mapping[uuid.UUID | None, tuple[int, Spent]], now: float
    ) -> Admission:
        left = {key: free(spent, self._rate(key), now) for key, (_pk, spent) in rows.items()}
        queued: dict[uuid.UUID | None, list[Claimed]] = defaultdict(list)
        admission = Admission(at=now)
        for record in records:
            keys = [key for key in (record.tenant_id, None) if key in rows]
            empty = next((key for key in keys if not left[key]), ...)
            if empty is not ...:
                queued[empty].append(record)  # type: ignore[index]
                continue
            for key in keys:
                left[key] -= 1
            admission.now.append(record)
        begun = Counter(record.tenant_id for record in admission.now)
        for key, waiting in queued.items():
            rate, number = self._rate(key), sum(begun.values()) if key is None else begun[key]
            spent = [*rows[key][1], [now, number]]
            wait = Record.Wait.RATE_JOB if key is None else Record.Wait.RATE_TENANT
            admission.later += [
                Later(record, wait, comes_back(spent, rate, now, place)) for place, record in enumerate(waiting)
            ]
        return admission

    def _rate(self, key: uuid.UUID | None) -> int:
        rate = self.limits[key is None]
        assert rate is not None, "only rows of a rate are locked"
        return rate

    def _write(
        self,
        rows: Mapping[uuid.UUID | None, tuple[int, Spent]],
        at: float,
        numbers: Counter[uuid.UUID],
        now: float | None = None,
    ) -> None:
        """Add ``numbers`` spent at the time ``at``, for the tenants and in all."""
        total = sum(numbers.values())
        changed = []
        for key, (pk, spent) in rows.items():
            number = total if key is None else numbers[key]
            if not number:
                continue
            there = next((entry for entry in spent if entry[0] == at), None)
            if there is not None:
                there[1] += number
            elif number > 0:
                spent.append([at, number])
            kept = counted(spent, at if now is None else now)
            changed.append((pk, orjson.dumps(kept).decode(), (kept[-1][0] + MINUTE_S) if kept else 0.0))
        if changed:
            with connection.cursor() as cursor:
                cursor.execute(WRITE, [list(column) for column in zip(*changed, strict=True)])

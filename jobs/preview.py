"""What a job would do with the last records, before it is saved: judged by the functions of a pass, nothing is written.

A page stands in the tenant of its viewer and may enter no other, so a worker judges: the page leaves its question in
the cache under its own digest, rings, and finds the answer there. Sample, tenants and time are bounded.
"""

import hashlib
import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from threading import Event
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction

from core.outcomes import Reason
from jobs.filters import Op
from jobs.kinds import Foreseen, Kind, KindPaused, kinds
from jobs.models import JobDefinition, Record
from jobs.scopes import OUT_OF_SCOPE, Scope
from queues.models import AccessScope, QueueItem
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

SAMPLE = 1000
TENANTS = 50
JOBS = 20
TIME_S = 5.0
SAMPLING_MS = 3000
KEPT_S = 60
ASKED_S = 15
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Question:
    """A job as it would be saved. ``tenant_ids`` are those of its scope, ``reach`` those the viewer may see (None: all)."""

    kind: str
    settings: dict[str, Any]
    filters: list[dict[str, Any]]
    access_scope: str
    tenant_ids: list[str]
    queue: int | None
    reach: list[str] | None = None

    def key(self) -> str:
        """The same question has the same key, whoever asks."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"jobs.preview:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True)
class Cause:
    """Why records would be left out: a reason code and, for filters, the clause; ``side`` is below or above."""

    reason: str
    gate: str = ""
    value: Any = None
    side: str = ""


@dataclass
class Answer:
    """Of ``found`` records ``judged`` were judged, ``matched`` would be processed, the others ended by ``causes``."""

    found: int = 0
    judged: int = 0
    matched: int = 0
    gone: int = 0
    causes: list[tuple[Cause, int]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Time or the number of tenants did not allow to judge all."""
        return self.judged + self.gone < self.found

    @property
    def surprising(self) -> bool:
        """Nothing matches, or everything: filters that do nothing, or let nothing through, are rarely meant."""
        return bool(self.judged) and self.matched in (0, self.judged)


def ask(question: Question) -> tuple[Answer | None, bool]:
    """The answer if it is known already, and whether a worker has to be asked for it now."""
    key = question.key()
    known = cache.get(key)
    if known is not None:
        return _restored(known), False
    return None, cache.add(f"{key}:asked", asdict(question), ASKED_S)


def answer_within(question: Question, seconds: float, ring: Callable[[str], bool]) -> Answer | None:
    """The answer if it is known or comes within so many seconds after a worker was asked by ``ring``; else None.

    For a page that is about to save and must not let a surprise pass. A worker mostly answers within a tenth of that.
    """
    answer, unasked = ask(question)
    if answer is not None or seconds <= 0 or (unasked and not ring(question.key())):
        return answer
    until = time.monotonic() + seconds
    while answer is None and time.monotonic() < until:
        Event().wait(LOOK_EVERY_S)
        answer, _unasked = ask(question)
    return answer


def judge_asked(key: str) -> None:
    """In a worker, outside any tenant: answer the question that was left under ``key``, if it is still there."""
    asked = cache.get(f"{key}:asked")
    if asked is not None:
        cache.set(key, asdict(judge(Question(**asked))), KEPT_S)


def judge(question: Question) -> Answer:
    """Judge the newest records, tenant by tenant in the order of their newest record, until the time is up."""
    started = time.monotonic()
    kind = kinds()[question.kind]
    sample = _sample(kind, question)
    by_tenant: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for tenant_id, record_id in sample:
        by_tenant[tenant_id].append(record_id)
    chosen = list(by_tenant)[:TENANTS]
    tenants = Tenant.objects.in_bulk(chosen)
    answer, causes = Answer(found=len(sample)), Counter[str]()
    for tenant_id in chosen:
        if time.monotonic() - started > TIME_S:
            break
        ids = by_tenant[tenant_id]
        foreseen = _foresee(kind, question, tenants[tenant_id], ids) if tenant_id in tenants else []
        answer.gone += len(ids) - len(foreseen)
        answer.judged += len(foreseen)
        answer.matched += sum(not each.reason for each in foreseen)
        causes.update(json.dumps(asdict(_cause(each))) for each in foreseen if each.reason)
    answer.causes = [(Cause(**json.loads(text)), number) for text, number in causes.most_common()]
    return answer


def _foresee(kind: Kind, question: Question, tenant: Tenant, ids: Sequence[uuid.UUID]) -> list[Foreseen]:
    scope = Scope(question.access_scope, frozenset(map(uuid.UUID, question.tenant_ids)))
    if not scope.holds(tenant):
        return [Foreseen(OUT_OF_SCOPE) for _id in ids]
    try:
        with enter(tenant):
            return list(kind.foresee(question.settings, question.filters, tenant, ids).values())
    except TenantUnavailable:
        return [Foreseen(Reason.TENANT_DISABLED.value) for _id in ids]
    except KindPaused:
        # The engine went between question and answer: nothing can be said about these.
        return []


def _sample(kind: Kind, question: Question) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """The newest conversations of the job's scope: what is pending in the queue, then what jobs took.

    Of named tenants each gives its share: the newest of the platform would hold few or none of theirs.
    """
    reach = None if question.reach is None else {uuid.UUID(tenant_id) for tenant_id in question.reach}
    if question.access_scope in (AccessScope.ONE_TENANT, AccessScope.TENANT_GROUPS):
        named = [uuid.UUID(tenant_id) for tenant_id in question.tenant_ids]
        return _newest_of(kind, question, [pk for pk in named if reach is None or pk in reach][:TENANTS])
    pending = QueueItem.objects.filter(queue=question.queue, record_type__in=kind.record_types)
    taken = Record.objects.filter(record_type__in=kind.record_types)
    if reach is not None:
        pending, taken = pending.filter(tenant__in=reach), taken.filter(tenant__in=reach)
    if question.access_scope == AccessScope.TENANTS_ONLY:
        pending, taken = pending.exclude(tenant__is_system=True), taken.exclude(tenant__is_system=True)
    names = ("tenant_id", "record_id")
    with _soon():
        # Twice as many records: one that several jobs took counts once.
        rows = [
            *pending.order_by("-pk").values_list(*names)[:SAMPLE],
            *taken.order_by("-pk").values_list(*names)[: 2 * SAMPLE],
        ]
    return list(dict.fromkeys(rows))[:SAMPLE]


NEWEST_OF = """
SELECT tenant.id, found.record_id FROM unnest(%(tenants)s::uuid[]) AS tenant(id)
CROSS JOIN LATERAL (
    (SELECT record_id FROM queues_queueitem
     WHERE queue_id = %(queue)s AND tenant_id = tenant.id AND record_type = ANY(%(types)s)
     ORDER BY record_id DESC LIMIT %(each)s)
    UNION
    (SELECT taken.record_id FROM unnest(%(jobs)s::bigint[]) AS job(id) CROSS JOIN LATERAL (
        SELECT record_id FROM jobs_record
        WHERE job_id = job.id AND tenant_id = tenant.id AND record_type = ANY(%(types)s)
        ORDER BY record_id DESC LIMIT %(each)s) AS taken)
    ORDER BY record_id DESC LIMIT %(each)s
) AS found
"""


def _newest_of(kind: Kind, question: Question, tenants: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """By the unique indexes of items and records; ids of conversations grow with time."""
    if not tenants:
        return []
    jobs = JobDefinition.objects.filter(kind=kind.key).order_by("-pk").values_list("pk", flat=True)
    values: dict[str, Any] = {
        "tenants": list(tenants),
        "queue": question.queue,
        "types": [each.value for each in kind.record_types],
        "jobs": list(jobs[:JOBS]),
        "each": -(-SAMPLE // len(tenants)),
    }
    with _soon(), connection.cursor() as cursor:
        cursor.execute(NEWEST_OF, values)
        return list(cursor.fetchall())


@contextmanager
def _soon() -> Iterator[None]:
    """A transaction whose statements end after three seconds."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(SAMPLING_MS)])
        yield


def _cause(foreseen: Foreseen) -> Cause:
    clause = foreseen.clause
    if clause is None:
        return Cause(foreseen.reason)
    low = clause.allowed[0] if clause.gate.endswith(f":{Op.BETWEEN}") else None
    side = "" if low is None else ("below" if clause.seen is None or clause.seen < low else "above")
    return Cause(foreseen.reason, clause.gate, clause.allowed, side)


def _restored(values: dict[str, Any]) -> Answer:
    causes = [(Cause(**cause), number) for cause, number in values["causes"]]
    return Answer(**{**values, "causes": causes})

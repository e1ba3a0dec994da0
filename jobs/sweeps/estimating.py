"""What a backfill would find, before it starts: number, minutes, price and time, counted by the functions of a sweep.

A page stands in the tenant of its viewer, so a worker counts, in short steps; question, position and figures so far
lie in the cache under the digest of the question. Who leaves the page ends it: nobody asks any more.
"""

import hashlib
import json
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.kinds import KindPaused, Order, Walk, kinds
from jobs.scopes import Scope
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

STEP_S = 2.0
BATCH = 250
# An estimate that nobody looked at for so long is given up; a finished one may be started from for an hour.
WANTED_S = 30
KEPT_S = 3600


@dataclass(frozen=True)
class Question:
    """A backfill as it would be made. ``tenant_ids`` are those of its scope."""

    kind: str
    settings: dict[str, Any]
    filters: list[dict[str, Any]]
    access_scope: str
    tenant_ids: list[str]

    def key(self) -> str:
        """The same question has the same key, whoever asks."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"jobs.estimate:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass
class Estimate:
    """Of ``found`` conversations ``fit`` would be processed, with so many ``seconds`` of audio; so far, or ``done``."""

    until: str
    tenants: int
    found: int = 0
    fit: int = 0
    seconds: int = 0
    tenants_done: int = 0
    at_tenant: str = ""
    after: tuple[str, str] | None = None
    done: bool = False

    @property
    def minutes(self) -> float:
        """Minutes of audio."""
        return self.seconds / 60

    def price(self, per_minute: Decimal | None) -> Decimal | None:
        """At the engine's price; None when it has none."""
        return None if per_minute is None else (Decimal(self.seconds) / 60 * per_minute).quantize(Decimal("0.01"))

    def lasts(self, throttle: int) -> timedelta:
        """How long the throttle makes it last, at least."""
        return timedelta(minutes=self.fit / throttle)


def look_up(question: Question) -> tuple[Estimate | None, bool]:
    """The figures so far, and whether a worker has to be asked to begin or to go on. Keeps the question alive."""
    key = question.key()
    known = _known(key)
    if known is not None and known.done:
        return known, False
    cache.set(f"{key}:wanted", asdict(question), WANTED_S)
    # One worker at a time: the mark lies as long as a step may take, and each step sets it anew.
    return known, cache.add(f"{key}:busy", 1, WANTED_S)


def step(key: str) -> bool:
    """In a worker, outside any tenant: count on for two seconds; True when there is more to do and somebody waits."""
    asked = cache.get(f"{key}:wanted")
    if asked is None:
        cache.delete(f"{key}:busy")
        return False
    question = Question(**asked)
    scope = Scope(question.access_scope, frozenset(map(uuid.UUID, question.tenant_ids)))
    estimate = _known(key) or Estimate(timezone.now().isoformat(), scope.tenants().count())
    deadline = time.monotonic() + STEP_S
    while not estimate.done and time.monotonic() < deadline:
        _count_on(question, scope, estimate)
    cache.set(key, asdict(estimate), KEPT_S)
    if estimate.done:
        cache.delete(f"{key}:busy")
        return False
    cache.set(f"{key}:busy", 1, WANTED_S)
    return True


def _known(key: str) -> Estimate | None:
    stored = cache.get(key)
    return None if stored is None else Estimate(**stored)


def _count_on(question: Question, scope: Scope, estimate: Estimate) -> None:
    """One batch of one tenant, or on to the next tenant."""
    tenants = scope.tenants()
    if estimate.at_tenant:
        tenants = tenants.filter(**{"pk__gte" if estimate.after else "pk__gt": uuid.UUID(estimate.at_tenant)})
    tenant = tenants.first()
    if tenant is None:
        estimate.done, estimate.tenants_done = True, estimate.tenants
        return
    after = estimate.after if estimate.at_tenant == str(tenant.pk) else None
    found, fit = _batch(question, tenant, estimate, after)
    estimate.found += len(found)
    estimate.fit += len(fit)
    estimate.seconds += sum(fit)
    estimate.at_tenant = str(tenant.pk)
    if len(found) < BATCH:
        estimate.after, estimate.tenants_done = None, estimate.tenants_done + 1
    else:
        estimate.after = (found[-1][0].isoformat(), str(found[-1][1]))


def _batch(
    question: Question, tenant: Tenant, estimate: Estimate, after: tuple[str, str] | None
) -> tuple[list[tuple[datetime, uuid.UUID]], list[int]]:
    """Time and id of what was found, and the seconds of each conversation that would be processed."""
    kind = kinds()[question.kind]
    behind = None if after is None else (_moment(after[0]), uuid.UUID(after[1]))
    walk = Walk(Order.STARTED, behind, None, _moment(estimate.until), BATCH)
    try:
        with enter(tenant):
            rows = kind.stored(tenant, question.filters, walk)
            ids = [row.record_id for row in rows]
            foreseen = kind.foresee(question.settings, question.filters, tenant, ids) if ids else {}
    except (TenantUnavailable, KindPaused):
        return [], []
    seconds = {row.record_id: row.seconds for row in rows}
    fit = [seconds[record_id] for record_id, verdict in foreseen.items() if not verdict.reason]
    return [(row.at, row.record_id) for row in rows], fit


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    assert moment is not None, "written by isoformat"
    return moment

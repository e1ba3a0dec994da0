"""The ledger: reserve before the work, settle or release after it, each exactly once (domain §4.6, security R11–R16).

Every statement that writes entries changes the counters of the tenant's account in the same statement; the account's row
lock puts all writers of a tenant in a row. A reservation is one conditional UPDATE: it takes effect only when the
limits still hold and nobody changed limits, seats, licences or people since they were read.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from core.outcomes import Reason
from licensing import statements
from licensing.gates import Facts, GateResult, judge
from licensing.limits import Counters, org_limits, own_limits
from licensing.models import NOBODY, Entitlement, Meter, Reservation
from licensing.periods import next_month_start
from licensing.selectors import Standing, standing

TRIES = 50


@dataclass(frozen=True, slots=True)
class Request:
    """One wish for metered work: ``amount`` units for a generation of a processing record."""

    record: int
    generation: int
    subject_id: uuid.UUID
    user_id: uuid.UUID | None
    amount: int
    engine: str = ""
    language: str = ""

    @property
    def key(self) -> tuple[int, int]:
        """Record and generation."""
        return self.record, self.generation


@dataclass(frozen=True, slots=True)
class Granted:
    """The units are reserved, now or by an earlier try of the same generation."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A gate refused. ``hold_until`` is set where the tenant's policy is to wait for the reset or a raise."""

    reason: Reason
    hold_until: datetime | None = None


class LedgerBusy(Exception):
    """Limits, licences or people of the tenant changed again and again while it was tried to reserve; try later."""


def reserve(
    *, tenant_id: uuid.UUID, meter: Meter, requests: Sequence[Request], at: datetime | None = None
) -> dict[tuple[int, int], Granted | Denied]:
    """Judge every request by all gates and reserve what passes; count what is refused, once for each generation.

    Repeating a request of the same generation changes nothing and is granted as before (R17). ``at`` is the instant of
    the requests, by default the database's clock. Raises LedgerBusy when the entitlements would not stand still.
    """
    for _try in range(TRIES):
        known = _known(tenant_id, meter, requests)
        fresh = [request for request in requests if request.key not in known]
        if not fresh:
            return known
        now = standing(tenant_id, meter, at=at)
        try:
            with transaction.atomic():
                judged = _at_once(now, fresh) or _one_by_one(now, fresh)
        except IntegrityError:
            # Another worker reserved one of them in between: the next round finds it.
            continue
        if judged is not None:
            return known | judged
    raise LedgerBusy("The entitlements of the tenant keep changing.")


def _known(tenant_id: uuid.UUID, meter: Meter, requests: Sequence[Request]) -> dict[tuple[int, int], Granted | Denied]:
    """What earlier tries of the same generations came to; a released one may not run again."""
    rows = Reservation.objects.filter(tenant_id=tenant_id, meter=meter, record__in=[r.record for r in requests])
    wanted = {request.key for request in requests}
    return {
        (record, generation): Denied(Reason.ABORTED) if state == Reservation.State.RELEASED else Granted()
        for record, generation, state in rows.values_list("record", "generation", "state")
        if (record, generation) in wanted
    }


def _at_once(now: Standing, requests: Sequence[Request]) -> dict[tuple[int, int], Granted | Denied] | None:
    """The quick way: everything fits, so one statement does it. None when it does not."""
    if now.limits.per_user == Entitlement.PerUser.HARD:
        return None
    total = now.taken
    traces: dict[tuple[int, int], list[GateResult]] = {}
    for request in requests:
        refusal, trace = judge(_facts(now, request.user_id, request.amount, total, Counters()))
        if refusal is not None:
            return None
        traces[request.key] = trace
        total = Counters(total.month + request.amount, total.lifetime + request.amount)
    # A statement that waits for the account's row goes on seeing the people of the moment it began; one that begins
    # under the lock sees those of now.
    if statements.lock(now) is None:
        return None
    if not statements.reserve(now, requests, [traces[request.key] for request in requests]):
        return None
    return {request.key: Granted() for request in requests}


def _one_by_one(now: Standing, requests: Sequence[Request]) -> dict[tuple[int, int], Granted | Denied] | None:
    """The exact way near a limit: under the account's lock, each request by what those before it left.

    None when the entitlements changed meanwhile.
    """
    taken = statements.lock(now)
    if taken is None:
        return None
    own = statements.own_counters(now, {r.user_id for r in requests if r.user_id is not None})
    granted: list[Request] = []
    denied: list[tuple[Request, Reason]] = []
    traces: dict[tuple[int, int], list[GateResult]] = {}
    for request in requests:
        mine = own.get(request.user_id or NOBODY, Counters())
        refusal, traces[request.key] = judge(_facts(now, request.user_id, request.amount, taken, mine))
        if refusal is not None:
            denied.append((request, refusal))
            continue
        granted.append(request)
        taken = Counters(taken.month + request.amount, taken.lifetime + request.amount)
        own[request.user_id or NOBODY] = Counters(mine.month + request.amount, mine.lifetime + request.amount)
    if granted and not statements.reserve(now, granted, [traces[request.key] for request in granted]):
        return None
    if denied:
        statements.deny(now, denied, [traces[request.key] for request, _reason in denied])
    outcome: dict[tuple[int, int], Granted | Denied] = {request.key: Granted() for request in granted}
    return outcome | {request.key: Denied(reason, _hold_until(now, reason)) for request, reason in denied}


def foretell(
    *, tenant_id: uuid.UUID, meter: Meter, user_id: uuid.UUID | None, amount: int, at: datetime | None = None
) -> tuple[datetime, Reason | None, list[GateResult]]:
    """What ``reserve`` would say to a new request: the instant, why it would be refused (None: it would not), each gate.

    Judges by the same facts, but takes no lock and reserves nothing. Raises Tenant.DoesNotExist.
    """
    now = standing(tenant_id, meter, at=at)
    own = statements.own_counters(now, {user_id} if user_id is not None else set())
    refusal, trace = judge(_facts(now, user_id, amount, now.taken, own.get(user_id or NOBODY, Counters())))
    return now.at, refusal, trace


def foretell_each(
    *, tenant_id: uuid.UUID, meter: Meter, wishes: Sequence[tuple[uuid.UUID | None, int]]
) -> list[Reason | None]:
    """What ``reserve`` would say to each of many wishes (user, amount) if it were the only one; in two queries.

    Takes no lock and reserves nothing. Raises Tenant.DoesNotExist.
    """
    now = standing(tenant_id, meter)
    own = statements.own_counters(now, {user_id for user_id, _amount in wishes if user_id is not None})
    return [
        judge(_facts(now, user_id, amount, now.taken, own.get(user_id or NOBODY, Counters())))[0]
        for user_id, amount in wishes
    ]


def _facts(now: Standing, user_id: uuid.UUID | None, amount: int, taken: Counters, mine: Counters) -> Facts:
    """What the gates see: ``taken`` by the whole tenant, ``mine`` by the user."""
    limits = [*own_limits(now.limits, mine), *org_limits(now.limits, now.accepted, taken)]
    return Facts(now.enabled, now.seat_of(user_id), limits, amount)


def _hold_until(now: Standing, reason: Reason) -> datetime | None:
    """When a held record looks again by itself; a raise of the limit wakes it earlier (domain C29)."""
    if now.limits.policy != Entitlement.Policy.HOLD or reason not in statements.MONTHLY | statements.LIFETIME:
        return None
    reset = next_month_start(now.period, now.zone)
    return reset if reason in statements.MONTHLY else max(reset, now.at + timedelta(days=1))


def settle(*, tenant_id: uuid.UUID, meter: Meter, keys: Sequence[tuple[int, int]], engine: str | None = None) -> int:
    """Charge what was reserved for these (record, generation); return how many were open. In the result's transaction.

    ``engine`` has done it, where that need not be the one it was reserved for. A second settling, or one after a
    release, changes nothing (R10, R11).
    """
    return statements.close(tenant_id, meter, keys, Reservation.State.SETTLED, engine) if keys else 0


def release(*, keys: Sequence[tuple[int, int]]) -> int:
    """Give back whatever is still reserved for these (record, generation), of every tenant and meter.

    Inside the transaction that ends the records. Returns how many reservations were open.
    """
    if not keys:
        return 0
    wanted = set(keys)
    open_ones = Reservation.objects.filter(record__in=[record for record, _g in keys], state=Reservation.State.OPEN)
    groups: dict[tuple[uuid.UUID, str], list[tuple[int, int]]] = defaultdict(list)
    for tenant_id, meter, record, generation in open_ones.values_list("tenant_id", "meter", "record", "generation"):
        if (record, generation) in wanted:
            groups[tenant_id, meter].append((record, generation))
    return sum(
        statements.close(tenant_id, Meter(meter), groups[tenant_id, meter], Reservation.State.RELEASED)
        for tenant_id, meter in sorted(groups)
    )

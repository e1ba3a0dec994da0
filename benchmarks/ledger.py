"""Rivals at the ledger, beside two other ways to keep a limit: check-then-insert, and one row at a time."""

import multiprocessing
import random
import secrets
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from benchmarks.registry import Figures, goal, scaled

PROCESSES, THREADS = 8, 8
REQUESTS = 20_000
PEER_REQUESTS = 4_000
BATCH = 100
USERS = 10
# Seconds of one request; what is wished for is about twice what the limit allows.
SECONDS = (1, 119)
# The limit that each scenario comes near: which, and how many requests there are to each of its minutes.
SCENARIOS = {
    "user_month": ("user_month", 20),
    "org_month": ("org_month", 2),
    "user_lifetime": ("user_lifetime", 20),
    "org_lifetime": ("org_lifetime", 2),
    "seat_cap": ("user_month", 20),
}
Wish = tuple[int, int, uuid.UUID]


def ledger(scale: float) -> Figures:
    """Reservations a second and overshoot in seconds: ours near each limit, and both peers near one."""
    requests, peer_requests = scaled(REQUESTS, scale, 200), scaled(PEER_REQUESTS, scale, 200)

    with ProcessPoolExecutor(
        PROCESSES, mp_context=multiprocessing.get_context("spawn"), initializer=_start_process
    ) as pool:
        # The processes are up before the clock runs.
        list(pool.map(time.sleep, [0.5] * PROCESSES))
        ours = {name: _ours(pool, name, requests) for name in SCENARIOS}
        checked, row_by_row = (_peer(pool, way, peer_requests) for way in ("check_then_insert", "row_by_row"))
    per_second = requests * len(ours) / sum(float(result["seconds"]) for result in ours.values())
    overshoot = max(result["overshoot_s"] for result in ours.values())
    faster = round(per_second / float(row_by_row["per_s"]), 1)
    return {
        "goals": [
            goal("overshoot in seconds", overshoot, at_most=0),
            goal("reservations/s over row by row", faster, at_least=20),
        ],
        "workers": PROCESSES * THREADS,
        "batch": BATCH,
        "requests": requests * len(ours),
        "near_each_limit": ours,
        "per_s": round(per_second),
        "overshoot_s": overshoot,
        "check_then_insert": checked,
        "row_by_row": row_by_row,
        "over_check_then_insert": round(per_second / float(checked["per_s"]), 1),
        "over_row_by_row": faster,
    }


def _ours(pool: ProcessPoolExecutor, name: str, requests: int) -> dict[str, Any]:
    """One tenant near one limit; at the seat cap a seat goes in the middle."""
    from licensing.models import Account, Entitlement, Entry, Meter, Reservation
    from licensing.reconciling import differences
    from licensing.selectors import standing
    from licensing.statements import entitlements_changed

    tenant, users = _tenant_with_users(name)
    limit, share = SCENARIOS[name]
    minutes = requests // share
    Entitlement.objects.create(tenant=tenant, **{limit: minutes})
    entitlements_changed(tenant.pk)
    mark = _set_seats(tenant, USERS // 2) if name == "seat_cap" else 0
    started = time.perf_counter()
    shares = [pool.submit(_reserve_share, tenant.pk, wishes) for wishes in _shares(users, requests)]
    if name == "seat_cap":
        while Reservation.objects.filter(tenant=tenant).count() < requests // 10:
            time.sleep(0.01)
        mark = _set_seats(tenant, USERS // 2 - 1)
    judged = sum(share.result() for share in shares)
    seconds = time.perf_counter() - started
    assert judged == requests
    now = standing(tenant.pk, Meter.TRANSCRIPTION_SECONDS)
    allowed = 60 * minutes * (now.accepted if limit.startswith("user_") else 1)
    lines = Entry.objects.filter(tenant=tenant).order_by("pk").values_list("pk", "step", "amount")
    reached = _highest(lines.iterator(), mark)
    seated = {user for user in users if (seat := now.seat_of(user)) is not None and seat.accepted}
    late = Entry.objects.filter(tenant=tenant, pk__gt=mark, step="reserve")
    return {
        "seconds": round(seconds, 2),
        "per_s": round(requests / seconds),
        "granted": Reservation.objects.filter(tenant=tenant).count(),
        "allowed_s": allowed,
        "reached_s": reached,
        "overshoot_s": max(reached - allowed, 0),
        "without_a_seat": late.exclude(user_id__in=seated).count(),
        "reserved_at_end_s": Account.objects.get(tenant=tenant).life_reserved,
        "differences": len(differences(tenant.pk)),
    }


def _set_seats(tenant: Any, seats: int) -> int:
    """Change the seats; return the newest entry of the ledger at that moment."""
    from django.db import transaction

    from licensing.models import Bundle, Entry, SeatLimit
    from licensing.statements import entitlements_changed

    with transaction.atomic():
        SeatLimit.objects.update_or_create(tenant=tenant, bundle=Bundle.SPEECH_ANALYTICS, defaults={"seats": seats})
        entitlements_changed(tenant.pk)
        newest = Entry.objects.order_by("-pk").first()
        return newest.pk if newest else 0


def _highest(lines: Iterator[tuple[int, str, int]], mark: int) -> int:
    """The most that was reserved or used just after a reservation with an id above ``mark``."""
    taken = most = 0
    for pk, step, amount in lines:
        taken += {"reserve": amount, "settle": 0, "release": -amount}[step]
        most = max(most, taken) if step == "reserve" and pk > mark else most
    return most


def _tenant_with_users(name: str) -> tuple[Any, list[uuid.UUID]]:
    from accounts.services import create_user
    from licensing.models import Bundle
    from licensing.services import grant
    from tenants.models import Tenant
    from tenants.services import create_tenant

    tenant = create_tenant(slug=f"bench-{name.replace('_', '-')}", name="Bench", actor="bench")
    Tenant.objects.filter(pk=tenant.pk).update(state=Tenant.State.READY)
    users = [
        create_user(
            tenant=tenant,
            username=f"user{number}",
            password=secrets.token_urlsafe(),
            role="agent",
            actor="bench",
        )
        for number in range(USERS)
    ]
    for user in users:
        grant(user=user, bundle=Bundle.SPEECH_ANALYTICS, actor="bench")
    return tenant, [user.pk for user in users]


def _shares(users: list[uuid.UUID], requests: int) -> list[list[Wish]]:
    """The wishes of each process."""
    dice = random.Random(3)  # noqa: S311
    wishes = [(number, dice.randint(*SECONDS), dice.choice(users)) for number in range(1, requests + 1)]
    return [wishes[number::PROCESSES] for number in range(PROCESSES)]


def _start_process() -> None:
    import django

    django.setup()


def _in_threads(work: Callable[[list[Wish]], int], wishes: list[Wish], size: int) -> int:
    """``work`` on the wishes in batches of ``size``, in as many threads as there are; what they return, summed."""
    from django.db import connection

    todo = iter([wishes[start : start + size] for start in range(0, len(wishes), size)])

    def run(_thread: int) -> int:
        try:
            return sum(work(batch) for batch in todo_batches())
        finally:
            connection.close()

    def todo_batches() -> Iterator[list[Wish]]:
        while (batch := next(todo, None)) is not None:
            yield batch

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(run, range(THREADS)))


def _reserve_share(tenant_id: uuid.UUID, wishes: list[Wish]) -> int:
    """Reserve in batches as a pass does; a tenth is given back, the rest charged."""
    from licensing.ledger import Granted, Request, release, reserve, settle
    from licensing.models import Meter

    meter = Meter.TRANSCRIPTION_SECONDS
    base = _first_record(tenant_id)

    def work(batch: list[Wish]) -> int:
        requests = [Request(base + n, 1, uuid.uuid4(), user, seconds, "Native", "en-US") for n, seconds, user in batch]
        outcomes = reserve(tenant_id=tenant_id, meter=meter, requests=requests)
        granted = [key for key, outcome in outcomes.items() if outcome == Granted()]
        release(keys=granted[::10])
        settle(tenant_id=tenant_id, meter=meter, keys=[key for key in granted if key not in set(granted[::10])])
        return len(outcomes)

    return _in_threads(work, wishes, BATCH)


def _peer(pool: ProcessPoolExecutor, way: str, requests: int) -> dict[str, Any]:
    """Wishes of the same kind, one by one, twice as many as the limit allows."""
    tenant, users = _tenant_with_users(way)
    limit = requests * 30
    started = time.perf_counter()
    shares = [pool.submit(_peer_share, way, tenant.pk, limit, wishes) for wishes in _shares(users, requests)]
    judged = sum(share.result() for share in shares)
    seconds = time.perf_counter() - started
    assert judged == requests
    return {
        "seconds": round(seconds, 2),
        "per_s": round(requests / seconds),
        "requests": requests,
        "overshoot_s": max(_reserved_by(tenant.pk) - limit, 0),
    }


def _reserved_by(tenant_id: uuid.UUID) -> int:
    from django.db.models import Sum

    from licensing.models import Reservation

    return int(Reservation.objects.filter(tenant_id=tenant_id).aggregate(sum=Sum("amount", default=0))["sum"])


def _peer_share(way: str, tenant_id: uuid.UUID, limit: int, wishes: list[Wish]) -> int:
    act = {"check_then_insert": _check_then_insert, "row_by_row": _row_by_row}[way]

    def work(batch: list[Wish]) -> int:
        for wish in batch:
            act(tenant_id, limit, wish)
        return len(batch)

    return _in_threads(work, wishes, 1)


def _check_then_insert(tenant_id: uuid.UUID, limit: int, wish: Wish) -> None:
    """Sum up what is reserved, compare, then insert: two of them at once see the same sum."""
    from django.db import transaction

    from licensing.models import Reservation

    with transaction.atomic():
        if _reserved_by(tenant_id) + wish[1] <= limit:
            Reservation.objects.create(**_facts(tenant_id, wish))


def _row_by_row(tenant_id: uuid.UUID, limit: int, wish: Wish) -> None:
    """The same books as ours by one ``save()`` after the other, under the account's lock: right, and slow."""
    from django.db import transaction
    from django.db.models import F
    from django.utils import timezone

    from licensing.models import Account, DailyUsage, Entry, Reservation

    facts = _facts(tenant_id, wish)
    of_entry = {name: value for name, value in facts.items() if name != "at"} | {"reserved_at": facts["at"]}
    with transaction.atomic():
        account = Account.objects.select_for_update().get(tenant_id=tenant_id)
        if account.life_reserved + account.life_used + wish[1] > limit:
            return
        account.life_reserved += wish[1]
        account.save()
        reservation = Reservation.objects.create(**facts)
        Entry.objects.create(**of_entry, step="reserve", source="free", target="reserved", at=timezone.now())
    with transaction.atomic():
        account = Account.objects.select_for_update().get(tenant_id=tenant_id)
        account.life_reserved -= wish[1]
        account.life_used += wish[1]
        account.save()
        reservation.state = Reservation.State.SETTLED
        reservation.save()
        Entry.objects.create(**of_entry, step="settle", source="reserved", target="used", at=timezone.now())
        key = {name: facts[name] for name in ("tenant_id", "meter", "period", "day", "user_id", "engine", "language")}
        DailyUsage.objects.get_or_create(**key)
        DailyUsage.objects.filter(**key).update(used=F("used") + wish[1], requests=F("requests") + 1)


def _facts(tenant_id: uuid.UUID, wish: Wish) -> dict[str, Any]:
    from django.utils import timezone

    from licensing.models import Meter

    now = timezone.now()
    record, amount, user = wish
    return {
        "tenant_id": tenant_id,
        "meter": Meter.TRANSCRIPTION_SECONDS,
        "record": _first_record(tenant_id) + record,
        "generation": 1,
        "subject_id": uuid.uuid4(),
        "user_id": user,
        "engine": "Native",
        "language": "en-US",
        "amount": amount,
        "at": now,
        "period": f"{now:%Y-%m}",
        "day": now.date(),
        "zone": "UTC",
    }


def _first_record(tenant_id: uuid.UUID) -> int:
    return tenant_id.int % 1_000_000 * 1_000_000

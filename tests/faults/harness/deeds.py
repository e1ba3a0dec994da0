"""Steps of a trial that people and telephone platforms take: events, tenants, licences, limits, records (F8)."""

import os
import random
import signal
import tempfile
import time
import uuid
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
from django.db import transaction
from django.db.utils import InterfaceError, OperationalError

from accounts.models import User
from conversations.models import Call
from conversations.services import delete_call
from core.errors import Conflict
from jobs.actions import abort_records, retry_records
from jobs.models import Record
from licensing.limits_pages.services import FIELDS, BelowUsage, save_limits, stored_limits
from licensing.models import Account, Bundle
from licensing.services import set_licence
from queues.events import Event
from stack.errors import StackError
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant
from tenants.services import set_state
from tests.faults.harness.world import ACTOR, SECONDS_A_CALL, sure

if TYPE_CHECKING:
    from tests.faults.harness.nemesis import Stage

IMPOSSIBLE = (OperationalError, InterfaceError, psycopg.Error, Conflict, TenantUnavailable, StackError)
Draw = Callable[[random.Random, int, int], dict[str, Any]]


NOISE_BYTES = 80_044


def sleep_of(pid: int, seconds: float) -> None:
    """SIGSTOP, wait, SIGCONT."""
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


def repeat_events(stage: "Stage", times: int, order: int) -> None:
    """F8: every event comes again so many times, in another order each time."""
    dice = random.Random(order)
    for _time in range(times):
        for place in stage.world.places:
            calls = list(stage.calls[place.tenant.pk])
            dice.shuffle(calls)
            for start in range(0, len(calls), 7):
                stage.world.ring(place, calls[start : start + 7])


def delete_calls(stage: "Stage", tenant: int, share: float) -> None:
    """F8: calls are deleted, and then events of them arrive."""
    place = stage.world.places[tenant]
    calls = stage.calls[place.tenant.pk]
    doomed = calls[: max(1, int(len(calls) * share))]
    for call in doomed:
        with enter(Tenant.objects.get(pk=place.tenant.pk)):
            if Call.objects.filter(pk=call).exists():
                delete_call(tenant=place.tenant, call_id=call, actor=ACTOR)
        stage.deleted.add(call)
    stage.world.ring(place, doomed, Event.CALL_RECORDING_FINISHED)


def suspend(stage: "Stage", tenant: int, seconds: float) -> None:
    """F8: a tenant is suspended and resumed."""
    place = stage.world.places[tenant]
    _move(place.tenant, Tenant.State.READY, Tenant.State.SUSPENDED)
    stage.undo.append(lambda: resume(place.tenant))
    time.sleep(seconds)
    resume(place.tenant)


def resume(tenant: Tenant) -> None:
    """Unless it is ready already."""

    def once() -> None:
        if Tenant.objects.get(pk=tenant.pk).state == Tenant.State.SUSPENDED:
            _move(tenant, Tenant.State.SUSPENDED, Tenant.State.READY)

    sure(once)


def _move(tenant: Tenant, old: Tenant.State, new: Tenant.State) -> None:

    with transaction.atomic():
        set_state(tenant=tenant, old=old, new=new, actor=ACTOR)


def take_licences(stage: "Stage", tenant: int, seconds: float) -> None:
    """R12, R17: all licences of a tenant are taken away, and given back."""
    place = stage.world.places[tenant]
    people = User.objects.filter(pk__in=place.users)

    def give() -> None:
        set_licence(users=people, bundle=Bundle.SPEECH_ANALYTICS, held=True, editor=stage.world.root)

    stage.undo.append(lambda: sure(give))
    set_licence(users=people, bundle=Bundle.SPEECH_ANALYTICS, held=False, editor=stage.world.root)
    time.sleep(seconds)
    give()


def lower_limit(stage: "Stage", tenant: int, calls: int) -> None:
    """R12: the organisation may take a few calls more than it has taken, and not one second beyond."""
    place = stage.world.places[tenant]
    account = Account.objects.filter(tenant=place.tenant).first()
    taken = account.life_reserved + account.life_used if account else 0
    minutes = (taken + calls * SECONDS_A_CALL) // 60
    stage.undo.append(lambda: lift_limit(stage, place.tenant))
    limit(place.tenant, minutes)
    # What was granted before the change may lie above the new limit; from now on nothing more may be.
    account = Account.objects.filter(tenant=place.tenant).first()
    before = account.life_reserved + account.life_used if account else 0
    stage.observer.cap(place.tenant.pk, max(before, minutes * 60))


def limit(tenant: Tenant, minutes: int | None) -> None:
    """Set the lifetime limit of the organisation."""
    stored = stored_limits(tenant)
    values = {name: getattr(stored, name) for name in FIELDS} | {"org_lifetime": minutes}
    try:
        save_limits(tenant=tenant, version=stored.version, values=values, actor=ACTOR)
    except BelowUsage as warned:
        confirmed = warned.fingerprint
        save_limits(tenant=tenant, version=stored.version, values=values, actor=ACTOR, confirmed=confirmed)


def lift_limit(stage: "Stage", tenant: Tenant) -> None:
    """No limit again."""
    stage.observer.cap(tenant.pk, None)
    sure(lambda: limit(tenant, None))


def abort(stage: "Stage", share: float) -> None:
    """An operator aborts some records; nothing may be left at the provider."""
    abort_records(records=_some(stage, share), actor=ACTOR, audit_tenant=stage.world.system)


def retry(stage: "Stage", share: float) -> None:
    """An operator retries what has ended without a transcript: a new generation."""
    ended = _some(stage, share).filter(state__in=["failed", "skipped", "aborted"])
    retry_records(records=ended, actor=ACTOR, audit_tenant=stage.world.system)


def _some(stage: "Stage", share: float) -> Any:
    chosen: list[uuid.UUID] = []
    for calls in stage.calls.values():
        chosen += calls[-max(1, int(len(calls) * share)) :]
    return Record.objects.filter(record_id__in=chosen)


def disk_is_full(stage: "Stage", tenant: int, sizes: Sequence[int]) -> None:
    """F6: a call is imported while no file may grow beyond so many bytes: a clear refusal, no call, no file; for each of
    the sizes. Then it goes in."""
    place = stage.world.places[tenant]
    name = f"disk-{time.monotonic_ns()}"
    files = set(_media(stage.rig.base))

    def stored() -> int:
        with enter(Tenant.objects.get(pk=place.tenant.pk)):
            return Call.objects.filter(external_id=name).count()

    with tempfile.TemporaryDirectory(dir=stage.rig.base) as folder:
        _one_call(Path(folder), name)
        arguments = ["import_calls", folder, "--tenant", place.tenant.slug]
        for size in sizes:
            refused = stage.rig.manage(*arguments, file_bytes=size)
            if refused.returncode == 0 or stored():
                stage.observer.found("S2", f"a call went in without its file: {refused.stdout[-300:]}")
            if "Traceback" in refused.stderr:
                stage.observer.found("S2", f"no clear refusal: {refused.stderr[-300:]}")
            if left := set(_media(stage.rig.base)) - files:
                stage.observer.found("S2", f"half a file is left: {sorted(left)[0]}")
        done = stage.rig.manage(*arguments)
        if done.returncode or stored() != 1:
            stage.observer.found("S2", f"the call does not go in afterwards: {done.stdout[-300:]}{done.stderr[-300:]}")


def _one_call(folder: Path, name: str) -> None:
    """Five seconds of noise, which nobody can make small."""
    with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(os.urandom(NOISE_BYTES - 44))
    facts = {"external_id": name, "started_at": "2026-11-20T10:00:00+00:00", "username": "alan", "language": "en-US"}
    (folder / f"{name}.json").write_bytes(orjson.dumps({**facts, "audio": f"{name}.wav"}))


def _media(base: Path) -> list[Path]:
    return [path for path in (base / "media").rglob("*") if path.is_file()]


BUSINESS = (repeat_events, delete_calls, suspend, take_licences, lower_limit, abort, retry, disk_is_full)
DRAWS: dict[str, tuple[int, Draw]] = {
    "repeat_events": (3, lambda d, _w, _m: {"times": d.choice([2, 10]), "order": d.randrange(1000)}),
    "delete_calls": (3, lambda d, _w, _m: {"tenant": d.randrange(3), "share": d.choice([0.1, 0.5])}),
    "suspend": (3, lambda d, _w, _m: {"tenant": d.randrange(3), "seconds": d.choice([1, 3])}),
    "take_licences": (2, lambda d, _w, _m: {"tenant": d.randrange(3), "seconds": d.choice([0.5, 2])}),
    "lower_limit": (2, lambda d, _w, _m: {"tenant": d.randrange(3), "calls": d.choice([1, 5])}),
    "abort": (3, lambda d, _w, _m: {"share": d.choice([0.2, 1.0])}),
    "retry": (1, lambda d, _w, _m: {"share": 1.0}),
}

"""What is done to a running trial: steps, and how they are drawn from a seed."""

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection

from jobs.workers.models import Worker
from tests.faults.harness import deeds
from tests.faults.harness.crashpoints import DEEPEST, POINTS, set_trap
from tests.faults.harness.observer import Observer
from tests.faults.harness.rig import DATABASE, Rig
from tests.faults.harness.world import LEASE_S, World
from tests.polling import until

LAST_STEP_S = 4.0
EXCUSE_S = 20.0


@dataclass(frozen=True)
class Step:
    """A deed, ``at`` seconds after the publication (before it where that is negative), with its arguments."""

    at: float
    deed: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{self.at:+.1f}s {self.deed}({told})"


@dataclass
class Stage:
    """What deeds act on: the rig, the world, and the calls of this trial by tenant."""

    rig: Rig
    world: World
    observer: Observer
    calls: dict[uuid.UUID, list[uuid.UUID]]
    deleted: set[uuid.UUID] = field(default_factory=set)
    undo: list[Callable[[], None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def kill_worker(stage: Stage, worker: int) -> None:
    """F1: ``kill -9`` of a whole worker."""
    stage.rig.kill(stage.rig.workers[worker])


def kill_child(stage: Stage, worker: int, child: int) -> None:
    """F1, F10: ``kill -9`` of one process of a pool, as when memory is out."""
    stage.rig.kill_child(stage.rig.workers[worker], child)


def kill_beat(stage: Stage) -> None:
    """F1."""
    stage.rig.kill("beat")


def trap(stage: Stage, point: str, hit: int, whole: bool) -> None:
    """F1: the process that comes by ``point`` kills itself."""
    set_trap(stage.rig.traps, point, hit, whole=whole)


def ask_to_stop(stage: Stage, worker: int) -> None:
    """F9: SIGTERM with a grace, a new worker beside the old one."""
    name = stage.rig.workers[worker]
    child = stage.rig.children[name]
    stage.rig.ask_to_stop(name)
    stage.rig.spawn(name)
    stage.undo.append(lambda: child.wait(60) and None)


def freeze(stage: Stage, worker: int, seconds: float) -> None:
    """F10: SIGSTOP past the lease, then SIGCONT."""
    name = stage.rig.workers[worker]
    stage.rig.freeze(name)
    time.sleep(seconds)
    stage.rig.thaw(name)


def wrong_clock(stage: Stage, worker: int, seconds: int) -> None:
    """F7: a worker whose clock is off."""
    name = stage.rig.workers[worker]
    stage.rig.kill(name)
    stage.rig.spawn(name, PARLANCE_CLOCK_OFF_S=str(seconds))
    pid = stage.rig.children[name].pid
    until(lambda: Worker.objects.filter(pid=pid, state=Worker.State.RUNNING).exists(), seconds=60, every=0.1)
    # Afterwards it goes, and one with the right time takes its place.
    stage.undo.append(lambda: stage.rig.kill(name))


def valkey_dies(stage: Stage) -> None:
    """F2: killed and started empty."""
    stage.observer.excuse(EXCUSE_S)
    stage.rig.valkey.kill()
    stage.rig.valkey.start()


def valkey_sleeps(stage: Stage, seconds: float) -> None:
    """F2: does not answer for a while."""
    stage.observer.excuse(seconds + EXCUSE_S)
    pid = stage.rig.valkey.pid
    if pid is not None:
        deeds.sleep_of(pid, seconds)


def postgres_restarts(stage: Stage) -> None:
    """F3: immediate restart, as after a crash."""
    stage.observer.excuse(EXCUSE_S)
    stage.rig.postgres.restart_immediate()
    connection.close()


def backends_end(stage: Stage) -> None:
    """F3: every connection is cut."""
    stage.observer.excuse(EXCUSE_S)
    with _own(stage) as own:
        own.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [DATABASE],
        )
    connection.close()


def table_is_locked(stage: Stage, table: str, seconds: float) -> None:
    """F3: nobody gets at the table for a while."""
    stage.observer.excuse(seconds + EXCUSE_S)
    with _own(stage, autocommit=False) as own:
        own.execute(f"SET lock_timeout = '5s'; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)


def _own(stage: Stage, *, autocommit: bool = True) -> psycopg.Connection:
    return psycopg.connect(stage.rig.postgres.url(DATABASE), autocommit=autocommit)


def misdeed(stage: Stage, number: int, times: int) -> None:
    """F4: the provider does one of the misdeeds of its dialect so many times."""
    fault = {**stage.rig.dialect.misdeeds[number], "times": times}
    stage.rig.provider("POST", "faults", [fault])


DEEDS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        kill_worker,
        kill_child,
        kill_beat,
        trap,
        ask_to_stop,
        freeze,
        wrong_clock,
        valkey_dies,
        valkey_sleeps,
        postgres_restarts,
        backends_end,
        table_is_locked,
        misdeed,
        *deeds.BUSINESS,
    )
}


def describe_misdeed(stage_dialect: Any, step: Step) -> str:
    """The step with the words of its misdeed, for people."""
    if step.deed != "misdeed":
        return str(step)
    told = {k: v for k, v in stage_dialect.misdeeds[step.arguments["number"]].items() if k != "body"}
    return f"{step.at:+.1f}s misdeed {told} × {step.arguments['times']}"


def draw(seed: int, *, workers: int, misdeeds: int) -> list[Step]:
    """One to five steps, by the seed alone; earliest first."""
    dice = random.Random(seed)
    kinds = sorted(DRAWS)
    weights = [DRAWS[kind][0] for kind in kinds]
    steps = []
    for kind in dice.choices(kinds, weights, k=dice.randint(1, 5)):
        at = -1.0 if kind in EARLY else round(dice.uniform(0.0, LAST_STEP_S), 1)
        steps.append(Step(at, kind, DRAWS[kind][1](dice, workers, misdeeds)))
    return sorted(steps, key=lambda step: step.at)


Draw = Callable[[random.Random, int, int], dict[str, Any]]
# How often, and with which arguments. The provider misbehaves most, as in life.
DRAWS: dict[str, tuple[int, Draw]] = {
    "misdeed": (16, lambda d, _w, m: {"number": d.randrange(m), "times": d.choice([1, 1, 2, 4, 12])}),
    "trap": (
        8,
        lambda d, _w, _m: {
            "point": d.choice(sorted(POINTS)),
            "hit": d.randint(1, DEEPEST),
            "whole": d.random() < 0.3,
        },
    ),
    "kill_worker": (3, lambda d, w, _m: {"worker": d.randrange(w)}),
    "kill_child": (3, lambda d, w, _m: {"worker": d.randrange(w), "child": d.randrange(2)}),
    "kill_beat": (1, lambda _d, _w, _m: {}),
    "ask_to_stop": (2, lambda d, w, _m: {"worker": d.randrange(w)}),
    "freeze": (2, lambda d, w, _m: {"worker": d.randrange(w), "seconds": LEASE_S + 2}),
    "wrong_clock": (1, lambda d, w, _m: {"worker": d.randrange(w), "seconds": d.choice([-3600, 3600, 40 * 86400])}),
    "valkey_dies": (2, lambda _d, _w, _m: {}),
    "valkey_sleeps": (1, lambda d, _w, _m: {"seconds": d.choice([2, 6])}),
    "postgres_restarts": (2, lambda _d, _w, _m: {}),
    "backends_end": (2, lambda _d, _w, _m: {}),
    "table_is_locked": (
        1,
        lambda d, _w, _m: {"table": d.choice(["jobs_record", "licensing_account"]), "seconds": d.choice([1, 3])},
    ),
    **deeds.DRAWS,
}
# What must be there before the calls are published.
EARLY = {"trap", "misdeed", "wrong_clock"}


def perform(stage: Stage, steps: Sequence[Step], since: float) -> None:
    """Do the steps at their times; one that cannot be done is noted, as when two outages meet."""
    for step in steps:
        time.sleep(max(0.0, since + step.at - time.monotonic()))
        try:
            DEEDS[step.deed](stage, **step.arguments)
        except deeds.IMPOSSIBLE as error:
            stage.notes.append(f"{step.deed}: {type(error).__name__}")
            connection.close()

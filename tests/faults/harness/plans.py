"""Which trials are run: random ones, the families of faults by name, every crash point."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.harness.crashpoints import DEEPEST, POINTS
from tests.faults.harness.deeds import NOISE_BYTES
from tests.faults.harness.dialects import Dialect
from tests.faults.harness.nemesis import Step, draw
from tests.faults.harness.world import LEASE_S


@dataclass(frozen=True)
class Plan:
    """One trial to be run. ``must_spring``: a trap that nobody comes by is a failure."""

    name: str
    seed: int
    steps: tuple[Step, ...]
    must_spring: bool = False


def random_plans(seed: int, trials: int, *, workers: int, dialect: Dialect) -> Iterator[Plan]:
    """``trials`` plans of consecutive seeds."""
    for one in range(seed, seed + trials):
        yield Plan("random", one, tuple(draw(one, workers=workers, misdeeds=len(dialect.misdeeds))))


def crash_plans(seed: int) -> Iterator[Plan]:
    """Every named crash point, first and second hit, of a pool's process and of its whole worker."""
    for point in POINTS:
        for hit in range(1, DEEPEST + 1):
            arguments = {"point": point, "hit": hit, "whole": hit == DEEPEST}
            yield Plan(f"crash {point}, {hit}", seed, (Step(-1.0, "trap", arguments),), must_spring=True)


FAMILIES: dict[str, str] = {
    "F1": "kill -9 of worker, pool process and beat",
    "F2": "Valkey killed, started empty, asleep",
    "F3": "PostgreSQL restarted, connections cut, tables locked",
    "F4": "the provider misbehaves in every way it knows",
    "F6": "no room on the disk",
    "F7": "a worker with a wrong clock",
    "F8": "events repeated and reordered, calls deleted, tenants suspended, licences and limits changed",
    "F9": "SIGTERM with a grace, old and new worker side by side",
    "F10": "workers frozen past their lease, memory out",
}
# Families that cannot be run here, and why.
NOT_HERE = {"F5": "the harness runs transcription jobs alone, so no AI engine is there to misbehave"}


def family_plan(name: str, seed: int, dialect: Dialect) -> Plan:
    """The plan of a family. Raises KeyError for an unknown name."""
    return Plan(f"{name}: {FAMILIES[name]}", seed, tuple(sorted(_family(name, dialect), key=lambda step: step.at)))


def _family(name: str, dialect: Dialect) -> list[Step]:
    steps: dict[str, list[Step]] = {
        "F1": [
            Step(0.5, "kill_worker", {"worker": 0}),
            Step(1.5, "kill_child", {"worker": 1, "child": 0}),
            Step(2.0, "kill_beat"),
        ],
        "F2": [Step(0.3, "valkey_dies"), Step(1.5, "valkey_sleeps", {"seconds": 3})],
        "F3": [
            Step(0.4, "backends_end"),
            Step(1.0, "table_is_locked", {"table": "jobs_record", "seconds": 1}),
            Step(2.2, "postgres_restarts"),
        ],
        "F4": [Step(-1.0, "misdeed", {"number": number, "times": 1}) for number in range(len(dialect.misdeeds))],
        "F6": [
            # No room for the copy that is judged, then none for the encrypted one.
            Step(0.5, "disk_is_full", {"tenant": 1, "sizes": [4096, NOISE_BYTES + 60]}),
        ],
        "F7": [
            Step(-3.0, "wrong_clock", {"worker": 0, "seconds": 3600}),
            Step(-2.0, "wrong_clock", {"worker": 1, "seconds": -3600}),
            Step(-1.0, "kill_worker", {"worker": 2}),
            # What they have written of the time must not hold up the others once they are gone.
            Step(2.0, "kill_worker", {"worker": 0}),
            Step(2.5, "kill_worker", {"worker": 1}),
        ],
        "F8": [
            Step(0.2, "repeat_events", {"times": 10, "order": 1}),
            Step(0.3, "delete_calls", {"tenant": 1, "share": 0.5}),
            Step(0.5, "suspend", {"tenant": 0, "seconds": 1}),
            Step(1.2, "lower_limit", {"tenant": 2, "calls": 1}),
            Step(1.3, "take_licences", {"tenant": 0, "seconds": 0.5}),
            Step(2.5, "abort", {"share": 0.5}),
            Step(3.0, "retry", {"share": 1.0}),
        ],
        "F9": [Step(0.6, "ask_to_stop", {"worker": 0}), Step(1.2, "ask_to_stop", {"worker": 1})],
        "F10": [
            Step(0.6, "freeze", {"worker": 0, "seconds": LEASE_S + 2}),
            Step(8.0, "kill_child", {"worker": 1, "child": 1}),
        ],
    }
    return steps[name]

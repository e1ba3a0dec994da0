"""Every benchmark: its name, what it measures, and the function that does it. Imports no Django."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A function of ``scale`` (1 is the full size) in ``benchmarks``; ``summary`` is one line for the list."""

    place: str
    summary: str

    def load(self) -> Callable[[float], Figures]:
        """The function; its module needs Django."""
        module, _, name = self.place.partition(":")
        function: Callable[[float], Figures] = getattr(import_module(f"benchmarks.{module}"), name)
        return function


BENCHMARKS = {
    "pipeline": Benchmark(
        "pipeline.contest:pipeline", "published event to stored transcript, beside a task per step and a bare script"
    ),
    "engines": Benchmark(
        "engines.contest:engines", "words, throughput and memory of each speech engine, beside a bare client; imports"
    ),
    "ai": Benchmark(
        "ai.contest:ai", "three AI tasks over each conversation, beside a bare script; the built-in engine"
    ),
    "claim": Benchmark("claim:claim", "moving and claiming records by size of backlog and number of tenants"),
    "fairness": Benchmark("fairness:fairness", "how long ten calls wait while another tenant floods the queue"),
    "memory": Benchmark("memory:memory", "memory of a worker with a thousand records in flight"),
    "console": Benchmark("console:console", "every list page and bulk action over a million records"),
    "tenants": Benchmark("tenants:tenants", "a new tenant by cloning and by migrations"),
    "ledger": Benchmark("ledger:ledger", "rivals at the ledger near every limit"),
    "audit": Benchmark("audit:audit", "verifying a million audit entries"),
    "realms": Benchmark("realms:realms", "tokens of the offline-task API, beside a view that does nothing"),
    "miaop": Benchmark(
        "miaop:miaop", "offline tasks: memory of a 2 GB upload, 50 at once, latency beside a no-op view"
    ),
    "usage": Benchmark("usage:usage", "usage pages over a big ledger"),
}


def scaled(number: int, scale: float, least: int = 1) -> int:
    """``number`` at this scale, but not below ``least``."""
    return max(round(number * scale), least)


def goal(what: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> Figures:
    """One goal and whether it was met."""
    met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    wanted = f"≥ {at_least:g}" if at_least is not None else f"≤ {at_most:g}"
    return {"goal": what, "wanted": wanted, "value": value, "met": met}

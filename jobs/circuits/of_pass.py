"""What a pass knows of the circuit breaker of its engine, and does about it."""

import time
from collections.abc import Iterable
from typing import Protocol

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.circuits import Window, counted, must_open
from core.outcomes import TREATMENTS
from jobs.circuits.breakers import add_counts, circuit_of, end_probe, keep_probe, leave_probe, resting, take_probe
from jobs.models import JobDefinition, LogEntry, Run
from jobs.passes.runs import log
from jobs.verdicts import NotSent, Outcome, Troubled

# While an engine fails now and then, its row is written at most so often by one pass.
COUNT_EVERY_S = 0.5
# Codes of errors that were found before the provider was asked, in our own code around it, or of another engine than
# that of the circuit: they say nothing of it.
OUR_FAULT = "unexpected"
SILENT = frozenset({OUR_FAULT, "audio_unavailable", "engine_changed", "other_engine"})


class Watched(Protocol):
    """Whose calls are counted: the session of a pass, or one of several engines that it uses."""

    circuit: str

    def on_circuit_opened(self, reason: str) -> None:
        """Alert, in the transaction that opened the circuit."""
        ...


class Breaker:
    """The circuit of one engine as one pass sees it: read with the heartbeat, told of outcomes in batches."""

    def __init__(self, job: JobDefinition, session: Watched) -> None:
        self.job, self.session = job, session
        self.circuit = circuit_of(session.circuit)
        self.probing = False
        self.window = Window(timezone.now())
        self.reason = ""
        self.count_at = 0.0

    @property
    def open(self) -> bool:
        """Nothing may be sent but the probe."""
        return self.circuit is not None and self.circuit.is_open

    @property
    def resting(self) -> bool:
        """Open, and neither is a probe due nor has a prober died: a pass has nothing to do."""
        if self.circuit is None or not self.circuit.is_open:
            return False
        return resting(self.session.circuit)

    def room(self, space: int, in_work: int) -> int:
        """How many of ``space`` records may be taken in: all, or the probe alone."""
        if not self.open:
            return space
        if in_work or (not self.probing and not self._probes()):
            return 0
        return min(space, 1)

    def _probes(self) -> bool:
        assert self.circuit is not None
        ours = None if self.resting else take_probe(self.circuit, self.job.lease_seconds)
        self.probing = ours is not None
        self.circuit = ours or self.circuit
        return self.probing

    def found_nothing(self) -> None:
        """No record is due, or the pass ends before one could be sent: the probe is for somebody else."""
        if self.probing and self.circuit is not None:
            self.circuit, self.probing = leave_probe(self.circuit) or circuit_of(self.session.circuit), False

    def beat(self) -> None:
        """Learn what other passes found; keep the own probe."""
        if self.probing and self.circuit is not None:
            self.probing = keep_probe(self.circuit, self.job.lease_seconds)
        if not self.probing:
            self.circuit = circuit_of(self.session.circuit)

    def note(self, outcomes: Iterable[Outcome], run: Run | None) -> None:
        """Count what calls brought. It decides whether the circuit opens or closes, before anybody is blamed."""
        calls = [outcome for outcome in outcomes if asked(outcome)]
        bad = [outcome.error.message for outcome in calls if isinstance(outcome, Troubled) and failed(outcome)]
        if bad:
            self.reason = bad[-1]
        if self.probing:
            if calls:
                self._end_probe(not bad, run)
            return
        self.window = counted(self.window, calls=len(calls), failures=len(bad), now=timezone.now())
        if bad and not self.open and (self._suffices() or time.monotonic() >= self.count_at):
            self._count(run)

    def _suffices(self) -> bool:
        """With what is known of the others, this would open the circuit."""
        known = self.circuit
        total = Window(known.window_began, known.calls, known.failures) if known else Window(self.window.began)
        return must_open(counted(total, calls=self.window.calls, failures=self.window.failures, now=timezone.now()))

    def _count(self, run: Run | None) -> None:
        self.count_at = time.monotonic() + COUNT_EVERY_S
        with transaction.atomic():
            self.circuit, opened = add_counts(key=self.session.circuit, window=self.window, reason=self.reason)
            if opened:
                self.session.on_circuit_opened(self.reason)
                text = _("The engine fails: %(why)s. Nothing is sent to it until it has answered a probe.")
                log(self.job, run, LogEntry.Severity.ERROR, text % {"why": self.reason.rstrip(".")})
        self.window = Window(timezone.now())

    def _end_probe(self, answered: bool, run: Run | None) -> None:
        assert self.circuit is not None
        with transaction.atomic():
            ended = end_probe(self.circuit, answered=answered, reason=self.reason)
            if ended is not None and answered:
                log(self.job, run, LogEntry.Severity.INFO, _("The engine answers again: work goes on."))
        self.circuit, self.probing = ended or circuit_of(self.session.circuit), False
        self.window = Window(timezone.now())


def asked(outcome: Outcome) -> bool:
    """True for outcomes in which the provider had its say, or should have had."""
    return not isinstance(outcome, NotSent) and not (isinstance(outcome, Troubled) and outcome.error.code in SILENT)


def failed(outcome: Outcome) -> bool:
    """True for the outcomes that accuse the engine: it could not be reached or broke. Refusals are answers."""
    return isinstance(outcome, Troubled) and asked(outcome) and TREATMENTS[outcome.error.error_class].opens_circuit

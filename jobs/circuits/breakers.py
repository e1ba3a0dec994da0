"""The circuit breakers of engines: counting how calls go, opening, the one probe over the whole cluster, closing.

Counts are added in batches and only when something failed, so that an engine that works costs nothing. Every move is an
UPDATE that names the fence it saw and demands its row: of many workers one opens, one probes, one closes. All times are
those of the database's clock: a worker's own may be wrong.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from core.circuits import Window, counted, must_open, pause_s
from core.errors import Conflict
from jobs.circuits.models import Circuit

State = Circuit.State


def circuit_of(key: str) -> Circuit | None:
    """The circuit of an engine; None when no call to it ever failed."""
    return Circuit.objects.filter(key=key).first()


def resting(key: str) -> bool:
    """True when the circuit is open, and neither is a probe due nor has a prober died."""
    waits = Q(state=State.OPEN, probe_at__gt=Now()) | Q(state=State.PROBING, probe_until__gt=Now())
    return Circuit.objects.filter(waits, key=key).exists()


def circuits_of(prefix: str) -> dict[str, Circuit]:
    """All open circuits whose key begins with ``prefix``, by key."""
    return {circuit.key: circuit for circuit in Circuit.objects.filter(key__startswith=prefix).exclude(state="closed")}


@transaction.atomic
def add_counts(*, key: str, window: Window, reason: str) -> tuple[Circuit, bool]:
    """Add what was counted in ``window``; return the circuit as it is now, and whether this opened it.

    ``reason`` is the words of the newest failure. What is open already counts nothing: those are late answers.
    """
    Circuit.objects.bulk_create([Circuit(key=key, window_began=Now())], ignore_conflicts=True)
    # Locked, because sums of several workers must not be lost; for a moment, and only while something fails.
    circuit = Circuit.objects.select_for_update().annotate(now=Now()).get(key=key)
    now = circuit.now
    if circuit.state != State.CLOSED:
        return circuit, False
    before = Window(circuit.window_began, circuit.calls, circuit.failures)
    total = counted(before, calls=window.calls, failures=window.failures, now=now)
    circuit.window_began, circuit.calls, circuit.failures = total.began, total.calls, total.failures
    opens = must_open(total)
    if opens:
        circuit.state, circuit.fence, circuit.tries = State.OPEN, circuit.fence + 1, 0
        circuit.opened_at, circuit.probe_at, circuit.reason = now, now + timedelta(seconds=pause_s(0)), reason[:500]
    circuit.save()
    return circuit, opens


def take_probe(circuit: Circuit, lease_s: float) -> Circuit | None:
    """Take the probe that is due, or that of a worker whose lease has run out; None when somebody else was quicker."""
    due = Q(state=State.OPEN, probe_at__lte=Now()) | Q(state=State.PROBING, probe_until__lt=Now())
    return _moved(circuit, due, state=State.PROBING, probe_until=Now() + timedelta(seconds=lease_s))


def keep_probe(circuit: Circuit, lease_s: float) -> bool:
    """Extend the lease of our probe; False when it is not ours any more."""
    ours = Circuit.objects.filter(key=circuit.key, fence=circuit.fence, state=State.PROBING)
    return bool(ours.update(probe_until=Now() + timedelta(seconds=lease_s)))


def end_probe(circuit: Circuit, *, answered: bool, reason: str = "") -> Circuit | None:
    """Close the circuit after a probe that got an answer, open it for longer after one that did not; None: not ours."""
    if answered:
        return _close(circuit, Q(state=State.PROBING))
    tries = circuit.tries + 1
    probe_at = Now() + timedelta(seconds=pause_s(tries))
    return _moved(
        circuit, Q(state=State.PROBING), state=State.OPEN, tries=tries, probe_at=probe_at, reason=reason[:500]
    )


def leave_probe(circuit: Circuit) -> Circuit | None:
    """There was nothing to probe with: whoever has something may."""
    return _moved(circuit, Q(state=State.PROBING), state=State.OPEN, probe_at=Now())


def probe_now(key: str) -> Circuit:
    """A person does not want to wait for the next probe. Raises Conflict unless the circuit is open and nobody probes."""
    circuit = circuit_of(key)
    moved = circuit and _moved(circuit, Q(state=State.OPEN), probe_at=Now())
    if moved is None:
        raise Conflict(_("The engine is not waiting for a probe: it works, or is being tried at this moment."))
    return moved


def close_now(key: str) -> Circuit:
    """A person knows better: let everything through. Raises Conflict when the circuit is closed."""
    circuit = circuit_of(key)
    closed = circuit and _close(circuit, ~Q(state=State.CLOSED))
    if closed is None:
        raise Conflict(_("The engine is not stopped because of failures."))
    return closed


def forget(key: str) -> None:
    """The engine is another one now, or gone: what was counted says nothing any more."""
    Circuit.objects.filter(key=key).delete()


def _close(circuit: Circuit, condition: Q) -> Circuit | None:
    return _moved(
        circuit,
        condition,
        state=State.CLOSED,
        window_began=Now(),
        calls=0,
        failures=0,
        tries=0,
        opened_at=None,
        probe_at=None,
        probe_until=None,
        reason="",
    )


def _moved(circuit: Circuit, condition: Q, **values: object) -> Circuit | None:
    """Change the row if it is still as ``circuit`` says and ``condition`` holds; return it as it is then."""
    found = Circuit.objects.filter(condition, key=circuit.key, fence=circuit.fence)
    if not found.update(**values, fence=F("fence") + 1):
        return None
    return Circuit.objects.get(key=circuit.key)

"""What a pass has in hand, what its kind says of it before it is sent, and what comes of it.

A verdict is spoken in the tenant, with the database; an outcome comes from the event loop of the pass, without it.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.outcomes import EngineError
from jobs.models import Record
from licensing.gates import GateResult
from queues.events import RecordType


@dataclass(frozen=True, slots=True)
class Claimed:
    """A record that this pass holds: nothing about it may be written without its ``fence``."""

    id: int
    fence: int
    tenant_id: uuid.UUID
    record_id: uuid.UUID
    generation: int
    stage: str
    uploads: int
    attempts: int
    checks: int
    errors: int
    crashes: int
    reference: str
    remote: dict[str, Any] | None
    # When its first upload began; None before that.
    uploaded_at: datetime | None = None
    record_type: str = RecordType.CALL.value
    # Where it stands in the list of the job's engines.
    place: int = 0


# Behind the last place of every job.
FAR = 32_767


@dataclass(frozen=True, slots=True)
class Span:
    """The places of a job whose records one pass takes up, as engine of the place ``at``.

    From ``first`` up to ``at``: places whose own engines cannot be used now; what is at such an engine stays there. To
    ``last``: places that the job had once.
    """

    at: int = 0
    first: int = 0
    last: int = FAR


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a record goes on when the engine fails it for good; ``words`` name both engines."""

    place: int
    words: str


@dataclass(frozen=True, slots=True)
class Go:
    """Every gate lets the record pass. ``weight_s`` is the length of the audio in seconds, for poll intervals.

    ``moved`` says, for the history, why the session does what stood at another place of the job.
    """

    payload: Any
    weight_s: float = 0.0
    onward: Onward | None = None
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The record ends here: ``state`` is skipped or failed, ``reason`` a code, ``detail`` the words for the log.

    ``trace`` is what the job's filters saw; what the gates saw is with the ledger.
    """

    state: Record.State
    reason: str
    detail: str
    trace: tuple[GateResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A limit says not now: the record waits until ``until``, or until the tenant's limits change (domain C29)."""

    until: datetime
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not now: the record is looked at again after ``delay_s`` seconds. Nothing is burnt.

    ``wait`` says why: a rate of the tenant, unless it is something else.
    """

    delay_s: float
    wait: str = Record.Wait.RATE_TENANT


@dataclass(frozen=True, slots=True)
class GoTo:
    """Another place of the job is for this record; ``detail`` is for its history."""

    place: int
    detail: str


Verdict = Go | GoTo | Refuse | Hold | PutOff


@dataclass(frozen=True, slots=True)
class Submitted:
    """The provider has taken the job; ``remote`` is the handle, ``check_after_s`` its hint."""

    remote: dict[str, Any]
    check_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class StillPending:
    """Not ready; ``check_after_s`` is the provider's hint."""

    check_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The result, for the kind's own ``commit``; ``detail`` and ``trace`` are for the record's history."""

    result: Any
    detail: str = ""
    trace: tuple[GateResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Troubled:
    """The engine raised; its class decides what follows.

    A kind whose records are made up of parts returns what is done of them as ``result``, which is committed whatever
    follows. ``partly``: enough is done that the record is completed when the rest is given up.
    ``reason`` and ``skipped`` say how a record ends whose trouble is final, where the class says too little. ``wait``
    (of ``Record.Wait``): nothing was refused, the kind itself sends nothing yet; no error is counted.
    """

    error: EngineError
    result: Any = None
    partly: bool = False
    detail: str = ""
    trace: tuple[GateResult, ...] = ()
    reason: str = ""
    skipped: bool = False
    wait: str = ""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The engine was not asked: its circuit had opened, or it had shown to be ``misconfigured``, before it was the turn."""

    misconfigured: bool = False


Outcome = Submitted | StillPending | Finished | Troubled | NotSent

"""What a kind of work must offer, and the registry of kinds (architecture §1, §4).

A kind is opened for one pass. Its ``load`` and ``commit`` run in the tenant, with the database; its ``work`` runs in
the event loop of the pass, without it.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from core.outcomes import EngineError
from jobs.filters import FilterField
from jobs.models import JobDefinition
from jobs.verdicts import Claimed, Finished, Span, StillPending, Submitted, Troubled, Verdict
from licensing.gates import GateResult
from licensing.models import Meter
from queues.events import Event, RecordType
from tenants.models import Tenant

# What business rows show of a record that shall be processed anew and is not begun.
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Check:
    """Something besides filters and gates that must be right before a pass works, in words fit for every viewer.

    ``advice`` with ``route`` (without arguments) says where it is mended by those who hold ``right``.
    """

    label: str
    seen: str
    rule: str
    passed: bool
    advice: str = ""
    route: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting of a kind in the job form: a choice, ``several`` of them, or a switch when ``choices`` is None.

    ``blank`` is the label of no choice, where that is one, too. ``names_job``: a choice that lists of jobs show, because
    the job is known by it. ``ordered``: so many of ``several`` at most, and their order counts.
    """

    name: str
    label: str
    choices: Sequence[tuple[str, str]] | None = None
    help_text: str = ""
    several: bool = False
    blank: str = ""
    names_job: bool = True
    ordered: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """The facts of "Why?" as of now: the kind's own checks, filters, and the request that would be made of ``meter``.

    ``meter`` None: the kind asks the ledger for nothing beforehand. ``refused`` says whether the filters leave the record
    out where that does not follow from each of them: of several tasks one may be left out and the others asked.
    """

    checks: tuple[Check, ...]
    filters: tuple[GateResult, ...]
    meter: Meter | None
    user_id: uuid.UUID | None
    amount: int
    problem: str = ""
    refused: bool | None = None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a pass would say to a record now: empty ``reason``, it would be processed; ``clause`` is the filter's no."""

    reason: str = ""
    clause: GateResult | None = None


class Order(StrEnum):
    """Along which time a sweep goes: when a conversation began, or when it was stored or changed."""

    STARTED = "started"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Walk:
    """One step of a sweep through a tenant: at most ``count`` conversations behind ``after`` (time and id).

    By ``CHANGED``: those whose time lies in (``since``, ``until``]. By ``STARTED``: those stored until ``until``.
    """

    order: Order
    after: tuple[datetime, uuid.UUID] | None
    since: datetime | None
    until: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A conversation that a sweep met; ``at`` is its time in the order, ``seconds`` what would be metered."""

    record_id: uuid.UUID
    at: datetime
    seconds: int
    record_type: str = RecordType.CALL.value


class KindPaused(Exception):
    """The kind cannot work now (engine disabled, paused or gone); records wait."""


class KindSession(Protocol):
    """A kind opened for one pass or one clean-up.

    ``reference_mark`` stands in the references that it uploads under, so that it is known who has them; empty where
    nothing is left at a provider. ``circuit`` names the engine whose failures are counted together, as ``KIND:ENGINE``. ``many_requests``: one step of a
    record makes several requests, each of which the session itself gives its time, and leaves nothing at the provider.
    """

    concurrency: int
    circuit: str
    many_requests: bool
    reference_mark: str

    def load(self, tenant: Tenant, records: Sequence[Claimed]) -> dict[int, Verdict]:
        """Facts, filters and gates of a batch, inside the tenant; gates judge only records in stage ``new``.

        What is metered is reserved here, before anything is sent.
        """
        ...

    async def open(self) -> None:
        """Open connections, inside the loop."""
        ...

    async def close(self) -> None:
        """Close them."""
        ...

    async def submit(self, record: Claimed, payload: Any) -> Submitted | Finished | Troubled:
        """Hand the work to the provider under ``record.reference``, or do it at once. Raises EngineError."""
        ...

    async def advance(self, record: Claimed, payload: Any) -> StillPending | Finished:
        """Ask for the result once. Raises EngineError."""
        ...

    async def look_up(self, references: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """The handles of the jobs that the provider has under references of ours; none under one it never heard of.

        Raises EngineError.
        """
        ...

    async def clean_up(self, remote: dict[str, Any]) -> None:
        """Delete the remote job; twice is fine. Raises EngineError."""
        ...

    def tend(self, calls: int) -> None:
        """Between two steps of the loop, at least once a second while ``calls`` records are at work.

        For what a session shares with other passes beside the places and the circuit that the pass itself holds.
        """
        ...

    def leave(self) -> None:
        """The pass ends and nothing is at work any more: give back what ``tend`` has taken."""
        ...

    def commit(self, tenant: Tenant, finished: Sequence[tuple[Claimed, Any]]) -> Mapping[int, Sequence[GateResult]]:
        """Write results and charge what was reserved, inside the tenant and the transaction of the record states.

        Returns by record what else stands in its history.
        What was reserved for records that end without a result is released by the caller.
        """
        ...

    def usable(self) -> bool:
        """False once the kind was paused, disabled or changed since the session was made: take in no more."""
        ...

    def on_config_error(self, error: EngineError) -> None:
        """Pause the engine once and alert."""
        ...

    def on_circuit_opened(self, reason: str) -> None:
        """Alert, in the transaction that opened the circuit: the engine failed too often, the last time for ``reason``."""
        ...


class Kind(Protocol):
    """One kind of work a job can do."""

    key: str
    label: str | Promise
    record_types: tuple[RecordType, ...]
    filter_fields: Mapping[str, FilterField]
    # The filter field on the day that a conversation began.
    start_day_field: str
    # What is published of completed records; None for kinds that publish nothing.
    completed_event: Event | None
    # True when an event about a record that has ended here starts it anew, because what it is about has changed.
    takes_again: bool

    # The clauses that the form of a new job begins with; None: those that the guide advises for recordings.
    advised: Sequence[Mapping[str, Any]] | None

    def clean_settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validate the kind's settings of a job. Raises InvalidInput naming the field."""
        ...

    def describe(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Label and value of each setting, for the job page."""
        ...

    def setting_fields(self) -> list[SettingField]:
        """The settings as the job form asks for them."""
        ...

    def obstacles(self) -> dict[str, dict[str, str]]:
        """By setting and its value why a job with it cannot work now, in words: an engine that is disabled or paused."""
        ...

    def explain(
        self, settings: Mapping[str, Any], filters: Sequence[Mapping[str, Any]], tenant: Tenant, record_id: uuid.UUID
    ) -> "Explained | None":
        """What a pass would meet now, and what the ledger would be asked; inside the tenant. None: it is gone."""
        ...

    def foresee(
        self,
        settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        tenant: Tenant,
        record_ids: Sequence[uuid.UUID],
    ) -> dict[uuid.UUID, Foreseen]:
        """As ``load`` would judge a batch now, inside the tenant, in a fixed number of queries; nothing is reserved.

        Records that do not exist any more are left out.
        """
        ...

    def stored(self, tenant: Tenant, filters: Sequence[Mapping[str, Any]], walk: Walk) -> list[Stored]:
        """What comes next in a sweep, inside the tenant, in one query by key.

        Of the filters, those on the date that conversations began may be used to leave out what they would discard.
        """
        ...

    def span(self, settings: Mapping[str, Any], place: int) -> Span:
        """Where a pass works that is started for records at ``place`` of the job's engines, as things stand now."""
        ...

    def places(self, settings: Mapping[str, Any]) -> list[str]:
        """The names of the job's engines in the order in which records go from one to the next; empty without such an
        order.
        """
        ...

    def price_per_minute(self, settings: Mapping[str, Any]) -> Decimal | None:
        """What a minute costs at the job's engine; None when nobody said it."""
        ...

    def session(
        self,
        job_settings: Mapping[str, Any],
        filters: Sequence[Mapping[str, Any]],
        *,
        place: int = 0,
        request_timeout_s: int | None = None,
        conversation_timeout_s: float | None = None,
    ) -> KindSession:
        """Open the engine at ``place`` for a pass; ``request_timeout_s`` replaces its own timeout. Raises KindPaused.

        ``conversation_timeout_s`` counts from the first upload; only sessions of many requests need to heed it.
        """
        ...

    def cleanup_session(self, job_settings: Mapping[str, Any]) -> KindSession:
        """Open for deleting remote jobs, also while new work is paused. Raises KindPaused when that is impossible."""
        ...

    def cleanup_settings(self, job_settings: Mapping[str, Any], remote: Mapping[str, Any]) -> dict[str, Any]:
        """The settings under which ``remote`` was made: the job may have another engine by now."""
        ...

    def tag(self, tenant: Tenant, record_ids: Sequence[uuid.UUID], *, clear: str, assign: str) -> None:
        """Clear and assign a tag (empty: none) on completed records, inside the tenant and the caller's transaction."""
        ...

    def mark(self, tenant: Tenant, states: Mapping[uuid.UUID, tuple[str, str]]) -> None:
        """Show (state or ``WAITING``, reason) on the business rows, inside the tenant and the caller's transaction."""
        ...


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """Every registered kind by its key (settings.JOB_KINDS)."""
    return {key: import_string(path)() for key, path in settings.JOB_KINDS.items()}


def kind_of(job: JobDefinition) -> Kind:
    """The kind of ``job``; KeyError cannot happen for stored jobs, a system check sees to it."""
    return kinds()[job.kind]

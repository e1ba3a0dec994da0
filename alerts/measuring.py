"""What rules watch, measured for all rules together: a fixed number of queries, over sums and first entries of indexes."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from aiassistant.models import AIEngine, Budget
from aiassistant.rails.watching import Hour, Pace, last_hour, paces
from alerts.models import AlertRule, Measure
from jobs.circuits.breakers import circuits_of
from jobs.figures.histogram import added, lags_of
from jobs.figures.models import EVERYBODY, Figure, What
from jobs.figures.reading import ENDS, FAILED_BY_ENGINE, hour_of
from jobs.models import DataSource, JobDefinition
from jobs.workers.room import Room, room
from licensing.alerts import pressing
from licensing.models import Meter
from queues.selectors import queues_with_backlog
from tenants.models import Tenant
from transcription.models import SpeechEngine
from transcription.selectors import open_circuits

LAG_MINUTES = 15
HOUR = 60
# With fewer records a share says nothing.
FEW = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A subject with its value now; ``wrong``: at or beyond the rule's threshold."""

    subject: str
    value: float
    wrong: bool
    text: str


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One sum, as stored."""

    minute: bool
    recent: bool
    job_id: int
    engine: str
    tenant_id: uuid.UUID
    what: str
    number: int
    times: Sequence[int]


class World:
    """Everything that some rule may ask about, each part asked for once and only when a rule wants it."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self.tenants = {rule.tenant_id for rule in rules if rule.tenant_id is not None}
        self.parts: dict[str, Any] = {}

    def part(self, name: str, ask: Callable[[], Any]) -> Any:
        """The answer of ``ask``, kept under ``name``."""
        if name not in self.parts:
            self.parts[name] = ask()
        return self.parts[name]

    def figures(self) -> list[FigureRow]:
        """Minutes of all tenants of the last hour, and the newest two hours of the tenants that rules name."""
        return self.part("figures", self._figures)  # type: ignore[no-any-return]

    def _figures(self) -> list[FigureRow]:
        now = timezone.now()
        names = ("at", "job_id", "engine", "tenant_id", "what", "number", "times")
        minutes = Figure.objects.filter(
            grain=Figure.Grain.MINUTE, tenant_id=EVERYBODY, at__gte=now - timedelta(minutes=HOUR)
        ).values_list(*names)
        rows = [FigureRow(True, at > now - timedelta(minutes=LAG_MINUTES), *rest) for at, *rest in minutes]
        if self.tenants:
            hours = Figure.objects.filter(
                grain=Figure.Grain.HOUR, tenant_id__in=self.tenants, at__gte=hour_of(now - timedelta(minutes=HOUR))
            ).values_list(*names)
            rows += [FigureRow(False, True, *rest) for _at, *rest in hours]
        return rows

    def speech_jobs(self) -> set[int]:
        """The jobs whose engines are speech engines: figures have the number of an engine alone."""

        def ask() -> set[int]:
            return set(JobDefinition.objects.filter(kind="transcription").values_list("pk", flat=True))

        return self.part("speech_jobs", ask)  # type: ignore[no-any-return]

    def queues(self) -> list[Any]:
        """All queues with what is pending."""
        return self.part("queues", lambda: list(queues_with_backlog()))  # type: ignore[no-any-return]

    def room(self) -> Room:
        """Workers and transactions."""
        return self.part("room", room)  # type: ignore[no-any-return]


def measure(rule: AlertRule, world: World) -> list[Found]:
    """What the rule finds now; subjects that are not mentioned are in order."""
    return MEASURES[Measure(rule.measure)](rule, world)


def _rows(rule: AlertRule, world: World, *, recent: bool) -> list[FigureRow]:
    """The sums within the scope of the rule: by the minute, or for a tenant by the hour."""
    return [
        row
        for row in world.figures()
        if row.minute == (rule.tenant_id is None)
        and (row.tenant_id == rule.tenant_id or rule.tenant_id is None)
        and (row.recent or not recent)
        and (rule.job_id is None or row.job_id == rule.job_id)
        and (rule.engine_id is None or (row.engine == str(rule.engine_id) and row.job_id in world.speech_jobs()))
    ]


def _whole(rule: AlertRule, value: float | None, text: str) -> list[Found]:
    return [] if value is None else [Found("", value, value >= rule.threshold, text)]


def _lag(rule: AlertRule, world: World) -> list[Found]:
    rows = [row.times for row in _rows(rule, world, recent=True) if row.what == What.COMPLETED]
    value = lags_of(added(rows))["total"].p95
    return _whole(rule, value, f"95 % of live records were done within {value or 0:,.0f} s.")


def _failed_whats(rule: AlertRule) -> tuple[What, ...]:
    """What counts as failed: for a rule about an engine also what another one did in its place."""
    return (What.FAILED,) if rule.engine_id is None else FAILED_BY_ENGINE


def _failures(rule: AlertRule, world: World) -> list[Found]:
    rows, whats = _rows(rule, world, recent=True), _failed_whats(rule)
    ended = sum(row.number for row in rows if row.what in {*ENDS, *whats})
    failed = sum(row.number for row in rows if row.what in whats)
    if ended < FEW:
        return []
    return _whole(rule, 100 * failed / ended, f"{failed:,} of {ended:,} records failed.")


def _dead_letters(rule: AlertRule, world: World) -> list[Found]:
    whats = _failed_whats(rule)
    failed = sum(row.number for row in _rows(rule, world, recent=False) if row.what in whats)
    return _whole(rule, failed, f"{failed:,} records failed within an hour.")


def _queue_age(rule: AlertRule, world: World) -> list[Found]:
    now = timezone.now()
    wanted = rule.job.source_queue_id if rule.job is not None else None
    ages = [
        (queue, (now - queue.oldest).total_seconds())
        for queue in world.queues()
        if queue.oldest is not None and (rule.job_id is None or queue.pk == wanted)
    ]
    return [
        Found(f"queue:{queue.pk}", age, age >= rule.threshold, f"{queue.name}: the oldest item waits {age:,.0f} s.")
        for queue, age in ages
    ]


def _queue_unread(rule: AlertRule, world: World) -> list[Found]:
    def ask() -> set[int]:
        reading = JobDefinition.objects.filter(enabled=True, data_source=DataSource.QUEUE)
        return set(reading.exclude(source_queue=None).values_list("source_queue_id", flat=True))

    read: set[int] = world.part("read", ask)
    return [
        Found(
            f"queue:{queue.pk}",
            queue.pending,
            queue.pending >= max(rule.threshold, 1),
            f"{queue.name}: {queue.pending:,} items that no enabled job reads.",
        )
        for queue in world.queues()
        if queue.enabled and queue.pk not in read
    ]


def _engine(rule: AlertRule, world: World) -> list[Found]:
    circuits = world.part("circuits", open_circuits)
    engines: Iterable[SpeechEngine] = world.part("engines", lambda: list(SpeechEngine.objects.filter(enabled=True)))
    found = []
    for engine in engines:
        circuit = circuits.get(engine.pk)
        down = engine.paused_at is not None or circuit is not None
        why = engine.pause_reason if engine.paused_at is not None else getattr(circuit, "reason", "")
        if down and (rule.engine_id is None or engine.pk == rule.engine_id):
            found.append(Found(f"engine:{engine.pk}", 1, True, f"{engine.name}: {why}"))
    return found + _ai_engines(rule, world)


def _ai_engines(rule: AlertRule, world: World) -> list[Found]:
    """AI engines that are paused or failing. A rule about one speech engine is not about them."""
    if rule.engine_id is not None:
        return []
    circuits = world.part("ai_circuits", lambda: circuits_of("aiassistant:"))
    engines: Iterable[AIEngine] = world.part("ai_engines", lambda: list(AIEngine.objects.filter(enabled=True)))
    found = []
    for engine in engines:
        circuit = circuits.get(f"aiassistant:{engine.pk}")
        if engine.paused_at is not None or circuit is not None:
            why = engine.pause_reason if engine.paused_at is not None else getattr(circuit, "reason", "")
            found.append(Found(f"ai_engine:{engine.pk}", 1, True, f"{engine.name}: {why}"))
    return found


def _workers(rule: AlertRule, world: World) -> list[Found]:
    number = world.room().workers
    return [Found("", number, number < rule.threshold, f"{number} workers are alive.")]


def _transaction(rule: AlertRule, world: World) -> list[Found]:
    age = world.room().transaction_s
    return _whole(rule, age, f"A transaction is open for {age:,.0f} s.")


def _limit(rule: AlertRule, world: World) -> list[Found]:
    notices = world.part("limits", lambda: pressing(Tenant.objects.all(), Meter.TRANSCRIPTION_SECONDS))
    found = []
    for notice in notices:
        share = 100 * notice.use.used / max(notice.use.allowed, 1)
        subject = f"limit:{notice.figures.tenant_id}:{notice.use.reason.value}"
        if rule.tenant_id in {None, notice.figures.tenant_id} and notice.kind != notice.kind.FORECAST:
            text = f"{notice.figures.name}: {notice.text}"
            found.append(Found(subject, share, share >= rule.threshold, text))
    return found


def _ai_hours(rule: AlertRule, world: World) -> list[Hour]:
    """The last hour of the tenants within the rule's scope."""
    hours: list[Hour] = world.part("ai_hours", last_hour)
    return [hour for hour in hours if rule.tenant_id in {None, hour.tenant_id}]


def _ai(rule: AlertRule, hour: Hour, value: float, text: str) -> Found:
    return Found(f"ai:{hour.tenant_id}", value, value >= rule.threshold, f"{hour.tenant}: {text}")


def _ai_executions(rule: AlertRule, world: World) -> list[Found]:
    return [
        _ai(rule, hour, hour.most, f"{hour.most:,} executions of one conversation within an hour.")
        for hour in _ai_hours(rule, world)
    ]


def _ai_tokens(rule: AlertRule, world: World) -> list[Found]:
    return [
        _ai(rule, hour, hour.tokens_each, f"{hour.tokens_each:,.0f} tokens an execution within an hour.")
        for hour in _ai_hours(rule, world)
        if hour.tokens_each is not None
    ]


def _ai_repeats(rule: AlertRule, world: World) -> list[Found]:
    return [
        _ai(rule, hour, hour.again_percent, f"{hour.again_percent:,.1f} % of AI requests repeated or repaired.")
        for hour in _ai_hours(rule, world)
        if hour.again_percent is not None
    ]


def _ai_budget(rule: AlertRule, world: World) -> list[Found]:
    """Against what budgets warn at; those that only stop, against that."""
    found: list[Pace] = world.part("ai_budgets", lambda: paces(list(Budget.objects.filter(enabled=True))))
    return [
        Found(
            f"ai_budget:{pace.budget.pk}",
            pace.percent,
            pace.percent >= rule.threshold,
            f"{pace.budget.name}: {pace.percent:,.1f} % used.",
        )
        for pace in found
        if rule.tenant_id in {None, pace.budget.tenant_id}
    ]


MEASURES: Mapping[Measure, Callable[[AlertRule, World], list[Found]]] = {
    Measure.LAG: _lag,
    Measure.FAILURES: _failures,
    Measure.DEAD_LETTERS: _dead_letters,
    Measure.QUEUE_AGE: _queue_age,
    Measure.QUEUE_UNREAD: _queue_unread,
    Measure.ENGINE: _engine,
    Measure.WORKERS: _workers,
    Measure.LIMIT: _limit,
    Measure.TRANSACTION: _transaction,
    Measure.AI_EXECUTIONS: _ai_executions,
    Measure.AI_TOKENS: _ai_tokens,
    Measure.AI_REPEATS: _ai_repeats,
    Measure.AI_BUDGET: _ai_budget,
}
# The scopes that a measure knows; all tenants, jobs and engines together is one for each.
SCOPES: Mapping[str, frozenset[str]] = defaultdict(
    frozenset,
    {
        Measure.LAG: frozenset({"tenant", "job", "engine"}),
        Measure.FAILURES: frozenset({"tenant", "job", "engine"}),
        Measure.DEAD_LETTERS: frozenset({"tenant", "job", "engine"}),
        Measure.QUEUE_AGE: frozenset({"job"}),
        Measure.ENGINE: frozenset({"engine"}),
        Measure.LIMIT: frozenset({"tenant"}),
        Measure.AI_EXECUTIONS: frozenset({"tenant"}),
        Measure.AI_TOKENS: frozenset({"tenant"}),
        Measure.AI_REPEATS: frozenset({"tenant"}),
        Measure.AI_BUDGET: frozenset({"tenant"}),
    },
)

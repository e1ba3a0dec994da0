"""Numbers for the start page. Reads only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone

from accounts.models import User
from conversations.models import Call, TranscriptionState
from conversations.selectors import visible_calls
from jobs.models import JobDefinition, Record
from jobs.selectors import jobs_for_pages, reached
from licensing.models import Reconciliation, UserLicence
from queues.models import ProcessingQueue, QueueItem
from tenants.selectors import visible_tenants
from transcription.models import SpeechEngine

LATE_AFTER = timedelta(minutes=5)
RECENT_CALLS = 8


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How many records stand where, over all tenants: pending in queues, then by state; ``failed_today`` since 24 h."""

    pending: int
    oldest: datetime | None
    in_progress: int
    completed: int
    failed: int
    skipped: int
    failed_today: int


@dataclass(frozen=True, slots=True)
class SetUp:
    """What there is already of all that a first transcript needs, besides engine and job."""

    tenant: bool
    licence: bool
    queue: bool


def set_up(user: User) -> SetUp:
    """What ``user`` sees of it: three questions whether there is any."""
    tenants = visible_tenants(user).filter(is_system=False)
    return SetUp(
        tenant=tenants.exists(),
        licence=UserLicence.objects.filter(user__tenant__in=tenants).exists(),
        queue=ProcessingQueue.objects.exists(),
    )


def pipeline(user: User) -> Pipeline:
    """The strip from the queues to the final states, of the tenants that ``user`` sees: two aggregates."""
    queued = QueueItem.objects.filter(reached(user)).aggregate(number=Count("pk"), oldest=Min("published_at"))
    since = timezone.now() - timedelta(hours=24)
    states = {state: Count("pk", filter=Q(state=state)) for state in ("in_progress", "completed", "failed", "skipped")}
    records = Record.objects.filter(reached(user)).aggregate(
        **states, failed_today=Count("pk", filter=Q(state="failed", finished_at__gt=since))
    )
    return Pipeline(pending=queued["number"], oldest=queued["oldest"], **records)


def engines_by_state() -> list[SpeechEngine]:
    """All engines; the paused ones first."""
    return sorted(SpeechEngine.objects.order_by("name"), key=lambda engine: engine.paused_at is None)


def jobs_on_home() -> list[JobDefinition]:
    """All jobs with what their pages show."""
    return list(jobs_for_pages().order_by("name"))


def queues_without_reader() -> list[ProcessingQueue]:
    """Enabled queues that hold records which no enabled job reads."""
    full = ProcessingQueue.objects.filter(enabled=True, items__isnull=False)
    read = JobDefinition.objects.filter(enabled=True, source_queue__isnull=False).values("source_queue")
    return list(full.exclude(pk__in=read).distinct().order_by("name"))


def late_since(oldest: datetime | None) -> bool:
    """True when the oldest pending record waits longer than five minutes."""
    return oldest is not None and timezone.now() - oldest > LATE_AFTER


def ledger_differences() -> int:
    """How many differences the last comparison of the counters with the ledger found; 0 before the first one."""
    return Reconciliation.objects.order_by("-pk").values_list("found", flat=True).first() or 0


def call_states(user: User) -> dict[str, int]:
    """Visible calls of the viewer's tenant by transcription state: one aggregate; every state has a number."""
    rows: Any = visible_calls(user).select_related(None).order_by().values("transcription_state")
    counted = dict(rows.annotate(number=Count("pk")).values_list("transcription_state", "number"))
    return {state: counted.get(state, 0) for state in TranscriptionState.values}


def recent_calls(user: User) -> list[Call]:
    """The newest visible calls."""
    return list(visible_calls(user).order_by("-started_at", "-pk")[:RECENT_CALLS])

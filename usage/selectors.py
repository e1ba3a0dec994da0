"""Numbers for the start page. Reads only."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from accounts.models import User
from conversations.models import SPOKEN, Call, TranscriptionState
from conversations.selectors import visible_calls
from licensing.models import Reconciliation, UserLicence
from queues.models import ProcessingQueue
from tenants.selectors import visible_tenants

RECENT_CALLS = 8


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


def engines_by_state(model: Any) -> list[Any]:
    """All engines of a family; the paused ones first."""
    return sorted(model.objects.order_by("name"), key=lambda engine: engine.paused_at is None)


def ledger_differences() -> int:
    """How many differences the last comparison of the counters with the ledger found; 0 before the first one."""
    return Reconciliation.objects.order_by("-pk").values_list("found", flat=True).first() or 0


def call_states(user: User) -> dict[str, int]:
    """Visible calls of the viewer's tenant by transcription state: one aggregate; every state has a number."""
    rows: Any = visible_calls(user).filter(SPOKEN).select_related(None).order_by().values("transcription_state")
    counted = dict(rows.annotate(number=Count("pk")).values_list("transcription_state", "number"))
    return {state: counted.get(state, 0) for state in TranscriptionState.values}


def recent_calls(user: User) -> list[Call]:
    """The newest visible calls and threads."""
    return list(visible_calls(user).order_by("-started_at", "-pk")[:RECENT_CALLS])

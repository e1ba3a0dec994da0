"""Finding what a caller names: in his tenant, or for platform staff in all that have the API on (R3.2, R3.5)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from accounts.realms.access import Caller
from accounts.realms.tokens import realm_of
from miaop.errors import ApiError, not_found
from miaop.models import Meeting, Task
from miaop.selectors import may_hear, parsed_meeting_id, visible_tasks
from miaop.submission import TASK_ID
from tenants.doors import enter
from tenants.models import Tenant
from tenants.selectors import visible_tenants


@dataclass(frozen=True, slots=True)
class Found:
    """A task that the caller may see, and its tenant, which is entered."""

    tenant: Tenant
    task: Task


def tenants_of(caller: Caller, named: str = "") -> list[Tenant]:
    """The tenants that the caller acts in; ``named`` chooses one of them by its realm. None when that is none of his."""
    if not caller.system:
        return [caller.tenant] if named in ("", realm_of(caller.tenant)) else []
    ready = visible_tenants(caller.user).filter(state=Tenant.State.READY, realm__enabled=True).order_by("slug")
    return [tenant for tenant in ready if named in ("", realm_of(tenant))]


@contextmanager
def task_named(caller: Caller, task_id: str, named: str = "") -> Iterator[Found]:
    """Inside its tenant, the task. Raises ApiError: 404, or 409 when several tenants have one of this id (4.2)."""
    if not TASK_ID.match(task_id):
        raise not_found()
    tenants = tenants_of(caller, named)
    if len(tenants) > 1:
        tenants = [tenant for tenant in tenants if _has(tenant, task_id)]
    if len(tenants) > 1:
        raise ApiError(409, "TASK_AMBIGUOUS", "Several tenants have a task of this id: name one with ?tenant=.")
    if not tenants:
        raise not_found()
    with enter(tenants[0]):
        task = visible_tasks(caller.user, everywhere=caller.system).filter(task_id=task_id).first()
        if task is None:
            raise not_found()
        yield Found(tenants[0], task)


@contextmanager
def meeting_named(caller: Caller, text: str, named: str = "") -> Iterator[tuple[Tenant, Meeting]]:
    """Inside its tenant, the meeting with its task and call. Raises ApiError as ``task_named`` does."""
    parsed = parsed_meeting_id(text)
    if parsed is None:
        raise not_found()
    number, task_id = parsed
    with task_named(caller, task_id, named) as found:
        rows = Meeting.objects.filter(task=found.task, number=number).select_related("task", "call")
        meeting = rows.first()
        if meeting is None or not may_hear(caller.user, meeting):
            raise not_found()
        yield found.tenant, meeting


def _has(tenant: Tenant, task_id: str) -> bool:
    with enter(tenant):
        return bool(Task.objects.filter(task_id=task_id).exists())

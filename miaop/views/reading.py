"""Reading tasks, meetings and transcripts (E3–E6)."""

import heapq
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.permissions import Permission
from accounts.realms.access import Caller
from accounts.realms.answers import answer
from accounts.realms.tokens import realm_of
from miaop.access import endpoint
from miaop.errors import ApiError, not_found
from miaop.filtering import FilterInvalid, Group, parse
from miaop.finding import meeting_named, task_named, tenants_of
from miaop.models import Task
from miaop.pace import pace_of
from miaop.selectors import filtered_tasks, meetings_of
from miaop.services import note_reading
from miaop.shown import meeting_id, meeting_status, remaining_of, shown_meeting, shown_task, shown_transcript
from miaop.states import FINAL, Status
from miaop.summaries import summary_of
from miaop.waiting import MOST_SECONDS, wait_for
from tenants.doors import enter
from tenants.models import Tenant

MOST_TASKS = 5000
# How long until asking again makes sense, in seconds.
SOONEST, LATEST = 2, 60


@endpoint("GET", right=Permission.MIAOP_READ)
def task(request: HttpRequest, caller: Caller, task_id: str) -> HttpResponse:
    """E3. With ``wait`` the answer comes when the task has moved on, at the latest after so many seconds."""
    named = request.GET.get("tenant", "")
    with task_named(caller, task_id, named) as found:
        before = _moment(found.task)
    seconds = _number(request, "wait", 0, MOST_SECONDS)

    def moved() -> bool:
        with task_named(caller, task_id, named) as found:
            return found.task.status in FINAL or _moment(found.task) != before  # type: ignore[attr-defined]

    wait_for(moved, seconds)
    with task_named(caller, task_id, named) as found:
        meetings = meetings_of([found.task])[found.task.pk]
        pace, now = pace_of(found.tenant), timezone.now()
        shown = shown_task(found.task, meetings, tenant=found.tenant, pace=pace, now=now)
        hint = {} if found.task.status in FINAL else _hint(remaining_of(meetings, pace, now))  # type: ignore[attr-defined]
    return answer(shown, headers=hint)


def _moment(found: Task) -> tuple[Any, Any]:
    return found.status, found.updated  # type: ignore[attr-defined]


def _hint(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(int(min(LATEST, max(SOONEST, seconds))))}


@endpoint("GET", right=Permission.MIAOP_READ)
def tasks(request: HttpRequest, caller: Caller) -> HttpResponse:
    """E4: a bare array, newest first; ``X-Total-Count`` says how many there are."""
    tree = _filter(request)
    skip, limit = _number(request, "skip", 0, 2**31), _number(request, "limit", MOST_TASKS, MOST_TASKS)
    total, pages = 0, []
    tenants = tenants_of(caller)
    for tenant in tenants:
        with enter(tenant):
            rows = filtered_tasks(caller.user, tree, slug=realm_of(tenant), everywhere=caller.system)
            total += rows.count()
            # Of several tenants each may hold all that is asked for.
            start = skip if len(tenants) == 1 else 0
            page = list(rows[start : skip + limit])
            pages.append([((-row.updated.timestamp(), row.task_id), tenant, row) for row in page])
    merged = list(heapq.merge(*pages, key=lambda entry: entry[0]))
    chosen = [(tenant, row) for _key, tenant, row in (merged if len(tenants) == 1 else merged[skip : skip + limit])]
    return answer(_shown(chosen), headers={"X-Total-Count": str(total)})


def _shown(chosen: list[tuple[Tenant, Task]]) -> list[dict[str, Any]]:
    """In the order chosen; each tenant is entered once."""
    shown: dict[tuple[Any, Any], dict[str, Any]] = {}
    by_tenant: dict[Any, tuple[Tenant, list[Task]]] = {}
    for tenant, row in chosen:
        by_tenant.setdefault(tenant.pk, (tenant, []))[1].append(row)
    for tenant, rows in by_tenant.values():
        with enter(tenant):
            meetings, pace, now = meetings_of(rows), pace_of(tenant), timezone.now()
            for row in rows:
                shown[tenant.pk, row.pk] = shown_task(row, meetings[row.pk], tenant=tenant, pace=pace, now=now)
    return [shown[tenant.pk, row.pk] for tenant, row in chosen]


def _filter(request: HttpRequest) -> Group:
    given = request.GET.getlist("filter")
    if len(given) > 1:
        raise ApiError(400, "INVALID_FILTER", "filter: give it once.")
    try:
        return parse(given[0] if given else "{}")
    except FilterInvalid as error:
        raise ApiError(400, "INVALID_FILTER", str(error)) from None


def _number(request: HttpRequest, name: str, usual: int, most: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
        raise ApiError(400, "INVALID_PARAMETER", f"{name}: a whole number from 0 to {most}.")
    return int(text)


@endpoint("GET", right=Permission.MIAOP_READ)
def meeting(request: HttpRequest, caller: Caller, meeting: str) -> HttpResponse:
    """E5."""
    with meeting_named(caller, meeting, request.GET.get("tenant", "")) as (_tenant, found):
        return answer(shown_meeting(found))


@endpoint("GET", right=Permission.MIAOP_READ)
def summary(request: HttpRequest, caller: Caller, meeting: str) -> HttpResponse:
    """What AI tasks and people said about the meeting, as far as the caller may see it; ours."""
    with meeting_named(caller, meeting, request.GET.get("tenant", "")) as (tenant, found):
        said = summary_of(caller.user, tenant, found)
        return answer({"meetingId": meeting_id(found), "status": meeting_status(found)} | said)


@endpoint("GET", right=Permission.MIAOP_READ)
def transcript(request: HttpRequest, caller: Caller, meeting: str, version: str) -> HttpResponse:
    """E6: the paragraphs of a finished meeting; who read them is kept in the audit trail (R3.6)."""
    with meeting_named(caller, meeting, request.GET.get("tenant", "")) as (tenant, found):
        if version != "0":
            raise not_found()
        if not caller.user.has(Permission.TRANSCRIPT_VIEW):
            raise ApiError(403, "PERMISSION_DENIED", caller.user.lacking(Permission.TRANSCRIPT_VIEW))
        status = meeting_status(found)
        if status not in FINAL:
            seconds = remaining_of([found], pace_of(tenant), timezone.now())
            raise ApiError(404, "TRANSCRIPTION_NOT_READY", "The transcription is not ready.", headers=_hint(seconds))
        if status == Status.ERROR:
            raise ApiError(404, "TRANSCRIPTION_FAILED", "The transcription failed.")
        paragraphs = shown_transcript(tenant, found)
        if paragraphs is None:
            raise ApiError(404, "TRANSCRIPTION_FAILED", "The transcript is not kept any more.")
        note_reading(tenant=tenant, reader=caller.user, meeting=found)
    return answer({"transcription": paragraphs})

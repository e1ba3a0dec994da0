"""Reading tasks and meetings inside a tenant: who sees which, and where they stand."""

import re
from collections.abc import Sequence

from django.db.models import Count, IntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.permissions import AccessScope, Permission
from conversations.models import TranscriptionState
from miaop.conditions import NOTHING, condition_of
from miaop.filtering import Group
from miaop.models import Meeting, Task
from miaop.states import with_status
from tenants.doors import current_tenant
from tenants.querysets import TenantQuerySet

MEETING_ID = re.compile(r"([1-9][0-9]{0,8})\.([A-Za-z0-9][A-Za-z0-9_-]{0,127})\Z")
# Newest first; equal moments by id (R6.4).
ORDER = ("-updated", "task_id")
LOADED = (
    *("number", "file", "base_language", "task__task_id", "call__duration_ms", "call__confidential"),
    *("call__transcription_state", "call__transcription_reason", "call__transcription_at"),
)


def visible_tasks(user: User, *, everywhere: bool = False) -> TenantQuerySet:
    """The tasks of the entered tenant that ``user`` may see (R3.4), with ``status`` and ``updated``.

    ``everywhere``: he calls as platform staff, who see those of every tenant. Nothing for a user of another tenant than
    the entered one otherwise.
    """
    return with_status(Task.objects.filter(Q() if everywhere else _seen_by(user)))


def _seen_by(user: User) -> Q:
    if user.stands_in != current_tenant().pk:
        return NOTHING
    if user.viewing is not None:
        return Q()
    mine = Q(submitted_by=user) | Q(owner=user)
    if user.email:
        mine |= Q(supervisor_email__iexact=user.email)
    if not user.has(Permission.CALLS_VIEW_OTHERS) or user.scope == AccessScope.USER:
        return mine
    if user.scope == AccessScope.MANAGED_GROUPS:
        groups = {*user.managed_groups, user.group} - {""}
        return mine | Q(owner__group__in=groups) if groups else mine
    return Q()


def filtered_tasks(user: User, tree: Group, *, slug: str, everywhere: bool = False) -> TenantQuerySet:
    """The visible tasks that a filter asks for, in the order of the list; ``slug`` is the entered tenant's short name."""
    tasks: TenantQuerySet = visible_tasks(user, everywhere=everywhere)
    return tasks.filter(condition_of(tree, tenant=slug)).order_by(*ORDER)


def counted_tasks(tasks: TenantQuerySet) -> TenantQuerySet:
    """The tasks with ``files``, and ``done``: how many of these have their transcript."""
    meetings = Meeting.objects.filter(task=OuterRef("pk")).order_by().values("task")
    number = meetings.annotate(number=Count("pk")).values("number")
    done = meetings.filter(call__transcription_state=TranscriptionState.COMPLETED)
    counted: TenantQuerySet = tasks.annotate(
        files=Coalesce(Subquery(number, output_field=IntegerField()), 0),
        done=Coalesce(Subquery(done.annotate(number=Count("pk")).values("number"), output_field=IntegerField()), 0),
    )
    return counted


def meetings_of(tasks: Sequence[Task]) -> dict[object, list[Meeting]]:
    """The meetings of tasks by the tasks' keys, in order, each with its call. One query."""
    found: dict[object, list[Meeting]] = {task.pk: [] for task in tasks}
    rows = Meeting.objects.filter(task__in=list(found)).select_related("call", "task").only(*LOADED)
    rows = rows.order_by("task", "number")
    for meeting in rows:
        found[meeting.task_id].append(meeting)
    return found


def parsed_meeting_id(text: str) -> tuple[int, str] | None:
    """Number and task id of ``3.q4m8x2k7``; None when it is no meeting id (R5.4)."""
    match = MEETING_ID.match(text)
    return (int(match[1]), match[2]) if match else None


def may_hear(user: User, meeting: Meeting) -> bool:
    """Whether the meeting's conversation is not confidential, or the user cleared for such (R3.5)."""
    hidden = meeting.call is not None and meeting.call.confidential
    return not hidden or user.has(Permission.CALLS_VIEW_CONFIDENTIAL)

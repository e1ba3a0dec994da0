"""Changing tasks. What is asked is never changed: a change is a new version, and labels say which one runs."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from aiassistant.library.audit import record
from aiassistant.library.checking import CONTENT, checked_content
from aiassistant.library.models import PRODUCTION, AITask, AITaskVersion, TaskLabel
from aiassistant.library.reach import may_change
from aiassistant.library.selectors import production_of
from audit.services import changes
from core.errors import Conflict, InvalidInput
from core.moves import move, switch
from core.names import demand_name
from core.validation import cleaned
from tenants.models import Tenant

HEAD = ("key", "title", "description", "position", "enabled")
MOST_TASKS = 200
MOST_LABELS = 20


@transaction.atomic
def save_task(
    *,
    task: AITask | None,
    tenant: Tenant | None,
    head: Mapping[str, Any],
    content: Mapping[str, Any],
    why: str,
    publish: bool,
    version: int,
    editor: User,
) -> AITask:
    """Create a task of ``tenant`` (None: of the library), or change the version of one that was seen.

    ``head`` is what the task is called, ``content`` what it asks (``checking.CONTENT``); a changed content becomes a new
    immutable version, with who and ``why``. ``publish`` lets the newest version run. Raises InvalidInput naming field
    and rule, and Conflict when somebody saved it in the meantime, or it is out of reach.
    """
    _lock_keys()
    owner = tenant if task is None else task.tenant
    _demand_reach(editor, task, owner)
    demand_name("title", head["title"])
    new = AITask(tenant=owner, **{name: head[name] for name in HEAD})
    cleaned(
        new, clash_field="key", exclude={"tenant"} | ({"key"} if task is not None and task.key == new.key else set())
    )
    if task is not None and task.key != new.key:
        raise InvalidInput("key", _("The key stays: values and prompts name it."))
    _demand_free_key(new, task)
    stored = checked_content(content, key=new.key, tenant=owner)
    if task is None:
        new.save(force_insert=True)
        made = add_version(new, None, stored, author=editor.actor, why=why)
        _point(new, PRODUCTION, made) if publish else None
        record(new, editor, "ai_task.created", details={"version": made.number}, after=_described(new), reason=why)
        return new
    before = {**_described(task), **_running(task)}
    text = _("Somebody else saved this task in the meantime. Reload and try again.")
    rows = AITask.objects.filter(pk=task.pk, version=version, archived_at=None)
    move(rows, conflict=text, **{name: getattr(new, name) for name in HEAD}, version=version + 1)
    newest = AITaskVersion.objects.filter(task=task, tenant=None).first()
    if newest is None or any(getattr(newest, name) != stored[name] for name in CONTENT):
        newest = add_version(task, None, stored, author=editor.actor, why=why)
    if publish:
        _point(task, PRODUCTION, newest)
    saved = AITask.objects.select_related("tenant").get(pk=task.pk)
    before, after = changes(before, {**_described(saved), **_running(saved)})
    details = {"version": newest.number}
    record(saved, editor, "ai_task.changed", details=details, before=before, after=after, reason=why)
    return saved


def add_version(
    task: AITask, tenant: Tenant | None, stored: Mapping[str, Any], *, author: str, why: str, **more: Any
) -> AITaskVersion:
    """The next version of a task, or of a tenant's override of it, inside the caller's transaction."""
    if len(why) > 500:
        raise InvalidInput("why", _("At most %(most)s characters.") % {"most": 500})
    highest = AITaskVersion.objects.filter(task=task, tenant=tenant).aggregate(most=Max("number"))["most"]
    return AITaskVersion.objects.create(
        task=task, tenant=tenant, number=(highest or 0) + 1, author=author[:200], why=why.strip(), **stored, **more
    )


@transaction.atomic
def restore_version(*, task: AITask, number: int, publish: bool, editor: User) -> AITaskVersion:
    """Make the newest version ask what an older one asked, judged by today's rules; history stays as it was."""
    _demand_reach(editor, task, task.tenant)
    _hold(task)
    old = AITaskVersion.objects.filter(task=task, tenant=None, number=number).first()
    if old is None:
        raise Conflict(_("There is no such version."))
    stored = checked_content({name: getattr(old, name) for name in CONTENT}, key=task.key, tenant=task.tenant)
    why = _("Restored version %(number)s") % {"number": number}
    made = add_version(task, None, stored, author=editor.actor, why=why)
    if publish:
        _point(task, PRODUCTION, made)
    record(task, editor, "ai_task.restored", details={"version": made.number, "restored": number})
    return made


@transaction.atomic
def set_label(*, task: AITask, name: str, number: int | None, seen: int | None, editor: User) -> None:
    """Let a label point to a version; ``number`` None takes it away. ``seen`` is the number that it pointed to.

    Raises InvalidInput for a name that is none, Conflict when the label was moved in the meantime, for a version
    that is not there, and for taking away the production of a task, which is disabled instead.
    """
    _demand_reach(editor, task, task.tenant)
    _hold(task)
    label = name.strip().casefold()
    demand_name("label", label)
    if not label or len(label) > 40:
        raise InvalidInput("label", _("A label has 1 to %(most)s characters.") % {"most": 40})
    standing = TaskLabel.objects.filter(task=task, name=label).select_related("points_to").first()
    if (standing.points_to.number if standing else None) != seen:
        raise Conflict(_("The label was moved in the meantime. Reload and try again."))
    if number is None:
        if label == PRODUCTION:
            raise Conflict(_("The version in production can be replaced. To run none, disable the task."))
        TaskLabel.objects.filter(task=task, name=label).delete()
    else:
        version = AITaskVersion.objects.filter(task=task, tenant=None, number=number).first()
        if version is None:
            raise Conflict(_("There is no such version."))
        if standing is None and TaskLabel.objects.filter(task=task).count() >= MOST_LABELS:
            raise InvalidInput("label", _("At most %(most)s labels.") % {"most": MOST_LABELS})
        _point(task, label, version)
    record(
        task, editor, "ai_task.labelled", details={"label": label}, before={"version": seen}, after={"version": number}
    )


@transaction.atomic
def set_tasks_enabled(*, tasks: Iterable[AITask], enabled: bool, editor: User) -> int:
    """The switch of the owner: a task that is off runs for nobody. Returns how many were not so before."""
    found = switch(_locked(tasks, editor), "enabled", enabled)
    for task in found:
        record(task, editor, "ai_task.enabled" if enabled else "ai_task.disabled")
    return len(found)


@transaction.atomic
def archive_tasks(*, tasks: Iterable[AITask], editor: User) -> int:
    """Take tasks away: they run for nobody any more. Values, versions and executions stay. Returns how many."""
    found = _locked(tasks, editor)
    rows = AITask.objects.filter(pk__in=[task.pk for task in found], archived_at=None)
    move(rows, expect=len(found), archived_at=timezone.now(), version=F("version") + 1)
    for task in found:
        record(task, editor, "ai_task.archived")
    return len(found)


def _point(task: AITask, name: str, version: AITaskVersion) -> None:
    TaskLabel.objects.update_or_create(task=task, name=name, defaults={"points_to": version})


def _hold(task: AITask) -> None:
    if not AITask.objects.select_for_update().filter(pk=task.pk, archived_at=None).exists():
        raise Conflict(_("The task was archived in the meantime."))


def _locked(tasks: Iterable[AITask], editor: User) -> list[AITask]:
    ids = [task.pk for task in tasks]
    rows = AITask.objects.select_for_update(of=("self",)).filter(pk__in=ids, archived_at=None).order_by("pk")
    found = list(rows.select_related("tenant"))
    for task in found:
        _demand_reach(editor, task, task.tenant)
    return found


def _demand_reach(editor: User, task: AITask | None, owner: Tenant | None) -> None:
    if not may_change(editor, task if task is not None else AITask(tenant=owner)):
        if owner is None:
            raise Conflict(_("The library is changed by platform staff with the access scope “System”."))
        raise Conflict(_("This tenant has no own tasks: ask your provider to allow them."))


def _demand_free_key(new: AITask, old: AITask | None) -> None:
    """Prompts name tasks by key, so no two tasks that a tenant can have may share one."""
    taken = AITask.objects.filter(key=new.key, archived_at=None)
    if old is not None:
        taken = taken.exclude(pk=old.pk)
    if new.tenant is not None:
        taken = taken.filter(tenant=None) | taken.filter(tenant=new.tenant)
    if taken.exists():
        raise InvalidInput("key", _("There is a task with this key."))
    if old is None and AITask.objects.filter(tenant=new.tenant, archived_at=None).count() >= MOST_TASKS:
        raise InvalidInput("key", _("At most %(n)s tasks.") % {"n": MOST_TASKS})


def _lock_keys() -> None:
    """Keys are compared over the library and the tenants' own tasks, which no constraint can do: one at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('aiassistant.tasks', 7))")


def _described(task: AITask) -> dict[str, Any]:
    return {name: getattr(task, name) for name in HEAD}


def _running(task: AITask) -> dict[str, Any]:
    standing = production_of(task)
    return {"production": standing.number if standing is not None else None}

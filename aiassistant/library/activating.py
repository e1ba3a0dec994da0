"""What a tenant makes of tasks: on or off, with a prompt or filters of its own."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import Permission
from aiassistant.library.audit import record
from aiassistant.library.checking import CONTENT, checked_filters, checked_templates
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation, TaskPolicy
from aiassistant.library.reach import may_override, policy_of, tasks_of
from aiassistant.library.selectors import production_of
from aiassistant.library.services import add_version
from audit.services import append, changes
from core.errors import Conflict, InvalidInput
from core.moves import move
from tenants.models import Tenant
from tenants.selectors import visible_tenants

POLICY = ("overrides", "own_tasks")


@transaction.atomic
def activate_tasks(*, tenant: Tenant, tasks: Iterable[AITask], enabled: bool, editor: User) -> int:
    """Switch tasks on or off for a tenant; return how many were not so before.

    Raises Conflict for a task that the tenant cannot have, or that has no version to run.
    """
    _demand_tenant(tenant, editor)
    wanted = {task.pk for task in tasks}
    offered = {task.pk: task for task in tasks_of(tenant).select_for_update(of=("self",)).filter(pk__in=wanted)}
    if wanted - set(offered):
        raise Conflict(_("One of the tasks is not there any more."))
    standing = {row.task_id: row for row in TaskActivation.objects.select_for_update().filter(tenant=tenant)}
    changed = 0
    for task in sorted(offered.values(), key=lambda task: task.pk):
        row = standing.get(task.pk)
        if (row is not None and row.enabled) == enabled:
            continue
        if enabled and production_of(task) is None and (row is None or row.override_id is None):
            raise Conflict(_("“%(name)s” has no version in production.") % {"name": task.title})
        _switch(tenant, task, row, enabled)
        record(task, editor, "ai_task.activated" if enabled else "ai_task.deactivated", tenant=tenant)
        changed += 1
    return changed


def _switch(tenant: Tenant, task: AITask, row: TaskActivation | None, enabled: bool) -> None:
    if row is None:
        TaskActivation.objects.create(tenant=tenant, task=task, enabled=enabled)
        return
    rows = TaskActivation.objects.filter(pk=row.pk, enabled=not enabled)
    move(rows, enabled=enabled, version=row.version + 1)


@transaction.atomic
def save_override(
    *,
    tenant: Tenant,
    task: AITask,
    prompt: Mapping[str, str] | None,
    filters: list[dict[str, Any]] | None,
    why: str,
    version: int,
    editor: User,
) -> AITaskVersion:
    """Give a tenant its own ``prompt`` (both templates), ``filters``, or both, of a task of the library.

    All else is that of the version in production now, on which the override rests until it is saved again or dropped.
    ``version`` is that of the tenant's choice that was seen, 0 for none. Raises InvalidInput naming the field, and
    Conflict when it was changed in the meantime, is not allowed, or there is nothing to rest on.
    """
    _demand_override(tenant, task, editor)
    if prompt is None and filters is None:
        raise InvalidInput("own_prompt", _("Override the prompt, the filters, or both."))
    base = production_of(task)
    if base is None:
        raise Conflict(_("“%(name)s” has no version in production.") % {"name": task.title})
    row = _seen(tenant, task, version)
    stored = {name: getattr(base, name) for name in CONTENT}
    if prompt is not None:
        stored |= checked_templates(prompt, key=task.key, tenant=tenant)
    if filters is not None:
        stored["filters"] = checked_filters(filters, tenant)
    made = add_version(
        task,
        tenant,
        stored,
        author=editor.actor,
        why=why,
        base=base,
        own_prompt=prompt is not None,
        own_filters=filters is not None,
    )
    _set_override(tenant, task, row, made)
    details = {"version": made.number, "base": base.number, "parts": _parts(made)}
    record(task, editor, "ai_task.overridden", tenant=tenant, details=details, reason=why)
    return made


@transaction.atomic
def drop_override(*, tenant: Tenant, task: AITask, editor: User) -> None:
    """Let the tenant run what is in production again; the override stays in the history. Raises Conflict."""
    _demand_override(tenant, task, editor)
    row = TaskActivation.objects.select_for_update().filter(tenant=tenant, task=task, override__isnull=False).first()
    if row is None:
        raise Conflict(_("There is no override any more."))
    rows = TaskActivation.objects.filter(pk=row.pk, override=row.override_id)
    move(rows, override=None, version=row.version + 1)
    record(task, editor, "ai_task.override_dropped", tenant=tenant)


@transaction.atomic
def save_policy(*, tenant: Tenant, overrides: bool, own_tasks: bool, editor: User) -> None:
    """Say what a tenant may do besides switching tasks on and off. Raises Conflict for those who are not platform staff.

    What the tenant has already stays and goes on.
    """
    _demand_tenant(tenant, editor)
    if not editor.tenant.is_system:
        raise Conflict(_("The platform's administrators decide this."))
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    old = policy_of(tenant)
    new = {"overrides": overrides, "own_tasks": own_tasks}
    before, after = changes({name: getattr(old, name) for name in POLICY}, new)
    if not after:
        return
    TaskPolicy.objects.update_or_create(tenant=tenant, defaults={**new, "version": old.version + 1})
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action="ai_task.policy_changed",
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"name": tenant.name},
        before=before,
        after=after,
    )


def _seen(tenant: Tenant, task: AITask, version: int) -> TaskActivation | None:
    row = TaskActivation.objects.select_for_update().filter(tenant=tenant, task=task).first()
    if (row.version if row is not None else 0) != version:
        raise Conflict(_("Somebody else changed this in the meantime. Reload and try again."))
    return row


def _set_override(tenant: Tenant, task: AITask, row: TaskActivation | None, made: AITaskVersion) -> None:
    if row is None:
        TaskActivation.objects.create(tenant=tenant, task=task, override=made)
        return
    rows = TaskActivation.objects.filter(pk=row.pk, version=row.version)
    move(rows, override=made, version=row.version + 1)


def _parts(version: AITaskVersion) -> str:
    return ", ".join(name for name, own in (("prompt", version.own_prompt), ("filters", version.own_filters)) if own)


def _demand_tenant(tenant: Tenant, editor: User) -> None:
    if not editor.has(Permission.AI_TASKS_EDIT) or not visible_tenants(editor).filter(pk=tenant.pk).exists():
        raise Conflict(_("Choose one of your tenants."))
    if tenant.state == Tenant.State.DELETED:
        raise Conflict(_("The tenant is deleted and cannot be changed any more."))


def _demand_override(tenant: Tenant, task: AITask, editor: User) -> None:
    _demand_tenant(tenant, editor)
    if task.tenant_id is not None:
        raise Conflict(_("This is a task of its own: change the task itself."))
    if not may_override(editor, tenant):
        raise Conflict(_("This tenant may not override tasks: ask your provider to allow it."))

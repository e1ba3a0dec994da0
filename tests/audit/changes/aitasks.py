"""AI tasks, and what tenants make of them."""

import json

from aiassistant.library.activating import save_override
from aiassistant.library.models import AITask
from aiassistant.models import DefaultEngine
from aiassistant.playground.models import PlaygroundRun
from tests.aiassistant.library.making import SYSTEM, USER, change, stored_task
from tests.audit.changes.world import Change, World, row

FORM = {
    "title": "Mood",
    "key": "mood",
    "position": "1",
    "applies_to": "any",
    "system_template": SYSTEM,
    "user_template": USER,
    "outputs": json.dumps([{"name": "answer", "type": "text"}]),
    "overflow": "fail",
    "overwrite": "always",
    "min_duration_s": "0",
    "min_words": "0",
    "request_timeout_s": "60",
    "conversation_timeout_s": "60",
    "max_requests": "1",
    "max_executions": "1",
    "publish": "on",
}
BAD = {**FORM, "user_template": "{{transcript}} {{nothing.like.it}}"}


def task_of(world: World) -> AITask:
    """A task of the library."""
    return stored_task(world.people.platform_admin)


@row("aitasks:add")
def _(world: World) -> Change:
    return Change(world.root, FORM, BAD)


@row("aitasks:task")
def _(world: World) -> Change:
    task = task_of(world)
    return Change(world.root, {**FORM, "version": task.version}, {**BAD, "version": task.version}, (task.pk,))


@row("aitasks:bulk")
def _(world: World) -> Change:
    good = {"action": "archive", "selection": [task_of(world).pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


TRY = {"try_newest": "1", "try_conversations": ""}


def askable(world: World) -> AITask:
    """The same, with an engine that answers."""
    DefaultEngine.objects.create(tenant=None, engine=world.ai_engine)
    return task_of(world)


@row("aitasks:playground")
def _(world: World) -> Change:
    good = {**TRY, "try_version": "1"}
    return Change(world.ada, good, {**good, "try_newest": "21"}, (askable(world).pk,))


@row("aitasks:try")
def _(world: World) -> Change:
    task = askable(world)
    good = {**FORM, **TRY, "version": task.version, "try_tenant": str(world.acme.pk)}
    return Change(world.root, good, {**good, "user_template": "{{transcript}} {{nothing.like.it}}"}, (task.pk,))


@row("aitasks:playground_cancel")
def _(world: World) -> Change:
    task = task_of(world)
    run = PlaygroundRun.objects.create(task=task, tenant=world.acme, content={}, newest=1)
    return Change(world.ada, args=(task.pk, run.pk))


@row("aitasks:restore")
def _(world: World) -> Change:
    task = task_of(world)
    change(task, world.people.platform_admin, user_template="Other: {{transcript}}")
    return Change(world.root, args=(task.pk, 1))


@row("aitasks:label")
def _(world: World) -> Change:
    return Change(world.root, {"label": "trial", "number": "1"}, {"label": "", "number": "1"}, (task_of(world).pk,))


@row("aitasks:tenant_bulk")
def _(world: World) -> Change:
    good = {"action": "activate", "selection": [task_of(world).pk], "confirmed": "1"}
    return Change(world.ada, good, {**good, "action": "nonsense"}, (world.acme.pk,))


@row("aitasks:policy")
def _(world: World) -> Change:
    return Change(world.root, {"own_tasks": "on"}, args=(world.acme.pk,))


@row("aitasks:override")
def _(world: World) -> Change:
    good = {"own_prompt": "on", "system_template": "Ours.", "user_template": "Ours: {{transcript}}", "version": "0"}
    return Change(world.ada, good, {**good, "own_prompt": ""}, (world.acme.pk, task_of(world).pk))


@row("aitasks:override_drop")
def _(world: World) -> Change:
    task, editor = task_of(world), world.people.tenant_admin
    save_override(tenant=world.acme, task=task, prompt=None, filters=[], why="", version=0, editor=editor)
    return Change(world.ada, args=(world.acme.pk, task.pk))

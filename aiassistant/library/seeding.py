"""Putting the product's own tasks into the library. Called whenever the product is set up; running it again changes nothing."""

from typing import Any

from django.db import transaction
from django.db.models import F

from aiassistant.library.checking import CONTENT, checked_content
from aiassistant.library.definitions import Overflow
from aiassistant.library.models import PRODUCTION, AITask, AITaskVersion, TaskLabel
from aiassistant.library.seeds import GROUP, REVISION, SEEDS, USER, Field, Seed
from aiassistant.library.services import add_version
from customfields.services import ensure_global_field

AUTHOR = "system:library"


@transaction.atomic
def load_library() -> int:
    """Make the tasks and custom fields that are missing; return how many versions were added.

    A task that a person has archived stays away. One whose newest version a person wrote stays as it is; the others get
    what a new release of the product asks, and run it if they ran the product's version before. All are off for every
    tenant until switched on.
    """
    keys = [seed.key for seed in SEEDS]
    # Of two of one key the one that is not archived comes last, and counts.
    rows = AITask.objects.filter(tenant=None, key__in=keys).order_by(F("archived_at").asc(nulls_last=True))
    present = {task.key: task for task in rows}
    taken = set(
        AITask.objects.filter(key__in=keys, archived_at=None).exclude(tenant=None).values_list("key", flat=True)
    )
    wanted = [(at, seed) for at, seed in enumerate(SEEDS, start=1) if seed.key not in taken]
    return sum(_load(seed, present.get(seed.key), 10 * at) for at, seed in wanted)


def _load(seed: Seed, task: AITask | None, position: int) -> int:
    newest = None if task is None else AITaskVersion.objects.filter(task=task, tenant=None).first()
    if (task is not None and task.archived_at is not None) or (newest is not None and newest.author != AUTHOR):
        return 0
    why = f"Revision {REVISION}"
    if newest is not None and newest.why == why:
        return 0
    stored = checked_content(_content(seed), key=seed.key, tenant=None)
    if task is None:
        head = {"title": seed.title, "description": seed.description, "position": position}
        task = AITask.objects.create(key=seed.key, **head)
    elif newest is not None and all(getattr(newest, name) == stored[name] for name in CONTENT):
        return 0
    made = add_version(task, None, stored, author=AUTHOR, why=why)
    standing = TaskLabel.objects.filter(task=task, name=PRODUCTION).select_related("points_to").first()
    if standing is None or standing.points_to.author == AUTHOR:
        TaskLabel.objects.update_or_create(task=task, name=PRODUCTION, defaults={"points_to": made})
    return 1


def _content(seed: Seed) -> dict[str, Any]:
    fields = {
        # In the order of the tasks, and of a task's answers within it.
        each.key: ensure_global_field(key=each.key, values=_values(each, 10 * (SEEDS.index(seed) + 1) + at))
        for at, each in enumerate(seed.fields)
    }
    return {
        "applies_to": "any",
        "system_template": seed.system_template,
        "user_template": USER,
        "outputs": [{**output, "field": fields[output["field"]].pk} for output in seed.outputs],
        "params": {"temperature": 0},
        "limits": dict(seed.limits),
        "filters": [],
        "overflow": Overflow.MAP_REDUCE.value,
        "overwrite": seed.overwrite,
        "engine_ref": None,
        "model": "",
    }


def _values(field: Field, at: int) -> dict[str, Any]:
    return {
        "name": field.name,
        "description": "",
        "type": field.type,
        "group": GROUP,
        "position": at,
        "attribute": field.attribute,
        "enabled": True,
        "editable": True,
        # A column that is empty until a tenant switches the task on would be in everybody's way.
        "in_lists": False,
        **field.settings,
    }

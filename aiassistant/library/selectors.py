"""Reading tasks: what runs for which tenant, what a person may see, and who uses which field."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from aiassistant.library.definitions import AppliesTo, Limits, Overflow, Params, Reasoning, TaskDefinition
from aiassistant.library.models import PRODUCTION, AITask, AITaskVersion, TaskActivation, TaskLabel
from aiassistant.library.outputs import Target, loaded
from conversations.fields.deciding import Overwrite
from customfields.models import CustomField
from customfields.uses import Use
from jobs.custom_fields import id_of
from tenants.models import Tenant


def tasks_for(tenants: Iterable[Tenant]) -> dict[uuid.UUID, tuple[TaskDefinition, ...]]:
    """The tasks that run for each tenant, in their order: three queries, whatever the number of tenants.

    A task runs when its owner has it enabled, the tenant switched it on, and it has a version in production or an
    override of the tenant. A tenant without any has an empty tuple.
    """
    ids = [tenant.pk for tenant in tenants]
    chosen = TaskActivation.objects.filter(
        tenant__in=ids, enabled=True, task__enabled=True, task__archived_at=None
    ).select_related("task", "override")
    rows = sorted(chosen, key=lambda row: (row.task.position, row.task.title, row.task_id))
    standing = _production({row.task_id for row in rows if row.override is None})
    running = [(row, row.override or standing.get(row.task_id)) for row in rows]
    targets = _targets(version for _row, version in running if version is not None)
    found: dict[uuid.UUID, list[TaskDefinition]] = {pk: [] for pk in ids}
    for row, version in running:
        if version is not None:
            found[row.tenant_id].append(definition_of(row.task, version, targets))
    return {pk: tuple(definitions) for pk, definitions in found.items()}


def _production(task_ids: Collection[int]) -> dict[int, AITaskVersion]:
    labels = TaskLabel.objects.filter(task__in=task_ids, name=PRODUCTION).select_related("points_to")
    return {label.task_id: label.points_to for label in labels}


def _targets(versions: Iterable[AITaskVersion]) -> dict[int, Target]:
    wanted = {each["field"] for version in versions for each in version.outputs if "field" in each}
    return targets_of(CustomField.objects.filter(pk__in=wanted))


def targets_of(fields: Iterable[CustomField]) -> dict[int, Target]:
    """Custom fields as outputs may name them."""
    return {field.pk: Target(field.pk, field.definition, field.deleted_at is not None) for field in fields}


def definition_of(task: AITask, version: AITaskVersion, targets: Mapping[int, Target]) -> TaskDefinition:
    """The task of a version, saved or not, as the pipeline reads it."""
    params = version.params
    return TaskDefinition(
        task_id=task.pk,
        key=task.key,
        version_id=version.pk,
        number=version.number,
        title=task.title,
        applies_to=AppliesTo(version.applies_to),
        system_template=version.system_template,
        user_template=version.user_template,
        outputs=loaded(version.outputs, targets),
        params=Params(
            temperature=params.get("temperature"),
            max_output_tokens=params.get("max_output_tokens"),
            reasoning=Reasoning(params.get("reasoning", "")),
        ),
        filters=tuple(version.filters),
        limits=Limits(**version.limits),
        overflow=Overflow(version.overflow),
        overwrite=Overwrite(version.overwrite),
        engine_id=version.engine_ref,
        model=version.model,
        overridden=version.tenant_id is not None,
    )


def definition_for(task: AITask, version: AITaskVersion) -> TaskDefinition:
    """The same with the fields looked up: one query."""
    return definition_of(task, version, _targets([version]))


def production_of(task: AITask) -> AITaskVersion | None:
    """The version that runs."""
    return _production([task.pk]).get(task.pk)


def versions_of(task: AITask, tenant: Tenant | None) -> QuerySet[AITaskVersion]:
    """All versions of a task, or of a tenant's override of it, newest first."""
    return AITaskVersion.objects.filter(task=task, tenant=tenant).order_by("-number")


def tasks_using(field_ids: Collection[int]) -> dict[int, list[Use]]:
    """The tasks whose running or newest versions fill or ask for the fields: for ``CUSTOM_FIELD_USES``.

    Two queries. Versions that neither run nor are the newest do not count: they only tell what was.
    """
    wanted = set(field_ids)
    found: dict[int, list[Use]] = defaultdict(list)
    for version in _living_versions():
        named = {each["field"] for each in version.outputs if "field" in each}
        named |= {id_of(str(clause["field"])) for clause in version.filters}
        for pk in named & wanted:
            use = Use(_("AI task"), version.task.title, reverse("aitasks:task", args=[version.task_id]))
            if use not in found[pk]:
                found[pk].append(use)
    return dict(found)


def _living_versions() -> QuerySet[AITaskVersion]:
    later = AITaskVersion.objects.filter(task=OuterRef("task"), tenant=None, number__gt=OuterRef("number"))
    newest = Q(tenant=None, task__archived_at=None) & ~Exists(later)
    labelled = TaskLabel.objects.filter(task__archived_at=None).values("points_to")
    overriding = TaskActivation.objects.filter(override__isnull=False).values("override")
    living = newest | Q(pk__in=labelled) | Q(pk__in=overriding)
    return AITaskVersion.objects.filter(living).select_related("task").order_by("task_id", "pk")

"""AI tasks, their immutable versions, the labels on them, and what each tenant makes of the library (ADR 0014)."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from aiassistant.library.definitions import AppliesTo, Overflow
from conversations.fields.deciding import Overwrite
from tenants.models import Tenant

PRODUCTION, DRAFT = "production", "draft"


class Applies(models.TextChoices):
    """``AppliesTo`` in words."""

    ANY = AppliesTo.ANY.value, _("Calls and text conversations")
    VOICE = AppliesTo.VOICE.value, _("Calls")
    TEXT = AppliesTo.TEXT.value, _("Text conversations")


class OverflowPath(models.TextChoices):
    """``Overflow`` in words."""

    MAP_REDUCE = Overflow.MAP_REDUCE.value, _("Read it in parts and put the answers together")
    HEAD_TAIL = Overflow.HEAD_TAIL.value, _("Read the beginning and the end")
    FAIL = Overflow.FAIL.value, _("Do not answer")


class OverwriteRule(models.TextChoices):
    """``Overwrite`` in words."""

    ALWAYS = Overwrite.ALWAYS.value, _("Always")
    IF_NOT_EDITED = Overwrite.IF_NOT_EDITED.value, _("Unless a person has edited it")
    IF_EMPTY = Overwrite.IF_EMPTY.value, _("Only where there is none")


class AITask(models.Model):
    """One task of the library of all tenants (``tenant`` None) or of one tenant.

    ``enabled`` is the switch of whoever owns it: off, it runs for nobody, whatever tenants chose. What it asks is in its
    versions. An archived task is gone from lists and never runs; its versions stay, because values name them.
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("tenant")
    )
    key = models.CharField(
        _("key"),
        max_length=40,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*\Z", _("Use a–z, digits and _; begin with a letter."))],
    )
    title = models.CharField(_("title"), max_length=80)
    description = models.CharField(_("description"), max_length=1000, blank=True)
    position = models.PositiveIntegerField(_("order"), default=100)
    enabled = models.BooleanField(_("enable"), default=True)
    archived_at = models.DateTimeField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["position", "title", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key"],
                condition=models.Q(archived_at=None),
                name="ai_task_key",
                nulls_distinct=False,
                violation_error_message=_("There is a task with this key."),
            )
        ]

    def __str__(self) -> str:
        return self.title


class AITaskVersion(models.Model):
    """What a task asks, once and for all: a version is never changed, because values and executions name it.

    With ``tenant`` it is that tenant's override of the library's task: it holds the tenant's prompt, filters or both, and
    all else as it stood in ``base``. ``number`` counts the versions of one task and tenant. ``engine_ref`` is the id of an
    engine and no foreign key: what was asked stays as it was when the engine is deleted.
    """

    task = models.ForeignKey(AITask, on_delete=models.CASCADE, related_name="versions")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    base = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, blank=True, related_name="+")
    number = models.PositiveIntegerField(_("version"))
    applies_to = models.CharField(_("applies to"), max_length=8, choices=Applies, default=Applies.ANY)
    system_template = models.TextField(_("instructions"))
    user_template = models.TextField(_("request"))
    # [{name, type, description, choices, minimum, …, field}]: aiassistant.library.outputs.
    outputs: Any = models.JSONField(default=list)
    params: Any = models.JSONField(default=dict, blank=True)
    limits: Any = models.JSONField(default=dict, blank=True)
    filters: Any = models.JSONField(default=list, blank=True)
    overflow = models.CharField(_("long conversations"), max_length=12, choices=OverflowPath)
    overwrite = models.CharField(_("overwrite values"), max_length=16, choices=OverwriteRule)
    engine_ref = models.BigIntegerField(_("engine"), null=True, blank=True)
    model = models.CharField(_("model"), max_length=120, blank=True)
    own_prompt = models.BooleanField(default=False)
    own_filters = models.BooleanField(default=False)
    author = models.CharField(_("by"), max_length=200)
    why = models.CharField(_("why"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "tenant", "number"], name="ai_task_version_number", nulls_distinct=False
            ),
            # The library's own versions rest on none; an override rests on one.
            models.CheckConstraint(
                condition=models.Q(tenant=None, base=None) | models.Q(tenant__isnull=False, base__isnull=False),
                name="ai_task_version_base",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} v{self.number}"


class TaskLabel(models.Model):
    """A name that points to one version of a task and is moved; ``production`` is the one that runs."""

    task = models.ForeignKey(AITask, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(_("label"), max_length=40)
    # ``version`` is a guard elsewhere; this is a version of the task. CASCADE only follows the task.
    points_to = models.ForeignKey(AITaskVersion, on_delete=models.CASCADE, related_name="labels")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["task", "name"], name="ai_task_label")]

    def __str__(self) -> str:
        return self.name


class TaskActivation(models.Model):
    """What a tenant chose about a task. Without a row it is off: that is how every tenant begins (domain A6).

    ``override`` is the tenant's version that runs instead of the one in production.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    task = models.ForeignKey(AITask, on_delete=models.CASCADE, related_name="activations")
    enabled = models.BooleanField(_("enable"), default=False)
    override = models.ForeignKey(AITaskVersion, on_delete=models.RESTRICT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=1, editable=False)
    changed_at = models.DateTimeField(_("when"), auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "task"], name="ai_task_activation")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.task_id}"


class TaskPolicy(models.Model):
    """What the platform lets a tenant do besides switching tasks on and off; without a row: overrides, no own tasks."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+")
    overrides = models.BooleanField(_("may override prompts and filters"), default=True)
    own_tasks = models.BooleanField(_("may have own tasks"), default=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return f"{self.tenant_id}"

"""Executions of AI tasks: what was asked of which engine, how it ended and what it cost. Never any text of a conversation."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from aiassistant.executing.flags import Flag
from aiassistant.models import AIEngine, EnginePrice
from core.ids import uuid7
from core.outcomes import Reason
from jobs.models import JobDefinition
from queues.events import RecordType
from tenants.models import Tenant


class Execution(models.Model):
    """One task on one conversation, ended. ``reason`` is a code of ``core.outcomes.Reason``, ``detail`` its words.

    A task that has to wait (throttled, engine out of reach) leaves one for each try that cost something. ``detail`` names
    outputs and rules and quotes nothing. Tokens are those of all requests, repairs and parts (``chunks``) included; one
    request that answered several tasks (``shared`` of them) counts for each by an equal share. What was asked and
    answered is in the tenant: ``conversations.ExecutionText`` of the same id. Those of the ``playground`` count in no
    statistics of success; of an unsaved draft ``task_version`` is 0.
    """

    class State(models.TextChoices):
        """How it ended; all are final."""

        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")

    class Path(models.TextChoices):
        """How a conversation got into the engine's window (providers §6.3)."""

        WHOLE = "whole", _("in one piece")
        MAP_REDUCE = "map_reduce", _("in parts, then joined")
        HEAD_TAIL = "head_tail", _("beginning and end")

    class Source(models.TextChoices):
        """Who named the engine (domain C35)."""

        TASK = "task", _("task")
        JOB = "job", _("job")
        TENANT = "tenant", _("default of the tenant")
        SYSTEM = "system", _("default of the system")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant"))
    record_type = models.CharField(_("record type"), max_length=20, choices=RecordType)
    record_id = models.UUIDField(_("record id"))
    job = models.ForeignKey(
        JobDefinition, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("job")
    )
    # The processing record and its generation; None where no job asked.
    job_record = models.BigIntegerField(null=True)
    generation = models.PositiveIntegerField(default=0)
    playground = models.BooleanField(_("playground"), default=False, db_default=False)
    task_key = models.CharField(max_length=80)
    task_label = models.CharField(_("task"), max_length=200)
    task_version = models.BigIntegerField(_("task version"))
    transcript_version = models.PositiveIntegerField(_("transcript version"), null=True)
    engine = models.ForeignKey(
        AIEngine, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False, verbose_name=_("engine")
    )
    engine_name = models.CharField(_("engine"), max_length=120, blank=True)
    engine_source = models.CharField(_("engine named by"), max_length=8, choices=Source, blank=True)
    model = models.CharField(_("model"), max_length=120, blank=True)
    state = models.CharField(_("status"), max_length=10, choices=State)
    reason = models.CharField(_("reason"), max_length=80, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    # sha256 of task version, engine with model, transcript version and rendered prompt; empty when nothing was rendered.
    key = models.CharField(max_length=64, blank=True)
    prompt_tokens = models.PositiveBigIntegerField(_("prompt tokens"), default=0)
    cached_tokens = models.PositiveBigIntegerField(_("cached tokens"), default=0)
    completion_tokens = models.PositiveBigIntegerField(_("completion tokens"), default=0)
    reasoning_tokens = models.PositiveBigIntegerField(_("reasoning tokens"), default=0)
    usage_estimated = models.BooleanField(_("tokens estimated"), default=False)
    cost_micros = models.PositiveBigIntegerField(_("cost"), default=0, help_text=_("millionths of the currency"))
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    price = models.ForeignKey(EnginePrice, on_delete=models.SET_NULL, null=True, related_name="+")
    attempts = models.PositiveSmallIntegerField(_("requests"), default=0)
    repairs = models.PositiveSmallIntegerField(_("repairs"), default=0)
    latency_ms = models.PositiveIntegerField(_("time"), default=0, help_text=_("milliseconds, all requests together"))
    chunks = models.PositiveSmallIntegerField(_("parts"), default=1)
    path = models.CharField(_("way"), max_length=12, choices=Path, default=Path.WHOLE)
    shared = models.PositiveSmallIntegerField(_("tasks in the request"), default=1)
    outputs = models.PositiveSmallIntegerField(_("outputs"), default=0)
    missing = models.PositiveSmallIntegerField(_("outputs without a value"), default=0)
    # What was noticed and is only shown: codes of ``flags.Flag``.
    flags = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("flags"))
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"))

    class Meta:
        constraints = [
            # Whatever dies or comes twice: a generation of a record has one result of a task.
            models.UniqueConstraint(
                fields=["job_record", "generation", "task_version"],
                condition=models.Q(state="completed"),
                name="execution_completed_once",
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "-ended_at"], name="execution_of_tenant"),
            models.Index(fields=["-ended_at", "id"], name="execution_newest"),
            models.Index(fields=["record_id", "task_version"], name="execution_of_record"),
            models.Index(fields=["task_key", "-ended_at"], name="execution_of_task"),
            models.Index(fields=["engine", "-ended_at"], name="execution_of_engine"),
            models.Index(fields=["task_version", "-ended_at"], name="execution_of_version"),
            models.Index(
                fields=["state", "-ended_at"], condition=~models.Q(state="completed"), name="execution_not_done"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task_label} · {self.record_id}"

    @property
    def reason_label(self) -> str:
        """The reason as a sentence."""
        return Reason.label_of(self.reason) if self.reason else ""

    @property
    def tokens(self) -> int:
        """Prompt and completion; cached and reasoning tokens are parts of these."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def flag_labels(self) -> list[str]:
        """What was noticed, in words."""
        return [Flag.label_of(code) for code in self.flags]

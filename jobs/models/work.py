"""What happens in jobs: runs, passes, records with their events, remote jobs to delete, log lines."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from core.outcomes import Reason
from jobs.models.definitions import JobDefinition
from queues.events import RecordType
from tenants.models import Tenant


class Run(models.Model):
    """One calendar day of a job in the job's time zone (domain §4.9). Counters are added in batches."""

    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField(_("run"))
    day = models.DateField(_("day"))
    started_at = models.DateTimeField(_("start time"))
    last_activity_at = models.DateTimeField(_("last activity"))
    passes = models.PositiveIntegerField(_("passes"), default=0)
    taken = models.PositiveIntegerField(_("taken from the queue"), default=0)
    uploaded = models.PositiveIntegerField(_("uploaded"), default=0)
    completed = models.PositiveIntegerField(_("completed"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    skipped = models.PositiveIntegerField(_("skipped"), default=0)
    errors = models.PositiveIntegerField(_("errors"), default=0)
    recovered = models.PositiveIntegerField(_("recovered errors"), default=0)
    # As the guide counts, where every check is a retry (domain C20).
    recovered_by_guide = models.PositiveIntegerField(_("recovered, checks counted"), default=0, db_default=0)
    waiting_checks = models.PositiveIntegerField(_("waiting checks"), default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "day"], name="run_once_a_day"),
            models.UniqueConstraint(fields=["job", "number"], name="run_number"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.number}"


class Pass(models.Model):
    """One bounded sweep of a job over its due records. At most one runs per job and slot.

    Each place of the job's engines has ``SLOTS`` slots of its own, those of the first place first.
    """

    SLOTS = 16

    class State(models.TextChoices):
        """running → (stopping →) finished; a pass whose heart stopped is found and marked crashed.

        A stopping pass takes in no more and leaves its slot to the next one.
        """

        RUNNING = "running", _("Running")
        STOPPING = "stopping", _("Stopping")
        FINISHED = "finished", _("Finished")
        CRASHED = "crashed", _("Crashed")

    ALIVE = (State.RUNNING, State.STOPPING)

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="sweeps")
    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="+")
    worker = models.ForeignKey("jobs.Worker", on_delete=models.SET_NULL, null=True, related_name="sweeps")
    slot = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.RUNNING)
    stage = models.CharField(_("stage"), max_length=40, blank=True)
    started_at = models.DateTimeField(_("start time"))
    ended_at = models.DateTimeField(_("end time"), null=True)
    heartbeat_until = models.DateTimeField()
    total = models.PositiveIntegerField(_("total records to process"), default=0)
    processed = models.PositiveIntegerField(_("processed"), default=0)
    will_check_later = models.PositiveIntegerField(_("will check later"), default=0)
    uploaded = models.PositiveIntegerField(_("uploaded"), default=0)
    in_hand = models.PositiveIntegerField(_("records in hand"), default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "slot"], condition=models.Q(state="running"), name="pass_one_per_slot"
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.pk}"

    @property
    def place(self) -> int:
        """Of the job's engines the one that this pass works with, from 0."""
        return self.slot // self.SLOTS

    @property
    def leads(self) -> bool:
        """Whether it is the first of its place: the others only help."""
        return self.slot % self.SLOTS == 0

    @property
    def remaining(self) -> int:
        """Records of this pass that have not reached a final state."""
        return self.total - self.processed


class Record(models.Model):
    """One conversation inside a job: its state, stage, lease and history counters (domain §4.7–8)."""

    class State(models.TextChoices):
        """In Progress → one of the four final states; only a person's Retry leads back."""

        IN_PROGRESS = "in_progress", _("In Progress")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        SKIPPED = "skipped", _("Skipped")
        ABORTED = "aborted", _("Aborted")

    class Stage(models.TextChoices):
        """Where a record in progress stands."""

        NEW = "new", _("waiting")
        UPLOADING = "uploading", _("uploading")
        CHECKING = "checking", _("checking")
        DONE = "done", _("finished")

    class Wait(models.TextChoices):
        """Why a record in progress is not due yet."""

        NONE = "", _("due")
        POLLING = "polling", _("waiting for the engine")
        BACKOFF = "backoff", _("waiting after an error")
        RATE = "rate_limited", _("the engine asked to wait")
        ENGINE = "engine_paused", _("the engine is paused")
        CIRCUIT = "circuit_open", _("the engine fails; waiting for it to answer a probe")
        LIMIT = "limit", _("held until the limit resets or is raised")
        TENANT = "tenant", _("the tenant is suspended")
        RATE_JOB = "rate_job", _("waiting: rate of the job")
        RATE_TENANT = "rate_tenant", _("waiting: rate of the tenant")

    class Lane(models.IntegerChoices):
        """Of due records, live ones are claimed first."""

        LIVE = 0, _("live")
        BACKFILL = 1, _("backfill")

    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="records", db_index=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant"))
    lane = models.PositiveSmallIntegerField(_("lane"), choices=Lane, default=Lane.LIVE, db_default=Lane.LIVE)
    record_type = models.CharField(_("record type"), max_length=20, choices=RecordType)
    record_id = models.UUIDField(_("record id"))
    generation = models.PositiveIntegerField(default=1)
    state = models.CharField(_("status"), max_length=12, choices=State, default=State.IN_PROGRESS)
    stage = models.CharField(_("stage"), max_length=12, choices=Stage, default=Stage.NEW)
    reason = models.CharField(_("reason"), max_length=80, blank=True)
    uploads = models.PositiveIntegerField(_("uploads"), default=0)
    attempts = models.PositiveIntegerField(_("failed attempts"), default=0)
    checks = models.PositiveIntegerField(_("checks"), default=0)
    errors = models.PositiveIntegerField(_("errors"), default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(_("next retry time"))
    wait = models.CharField(max_length=16, choices=Wait, default=Wait.NONE, blank=True)
    reference = models.CharField(_("our reference"), max_length=80, blank=True)
    remote: Any = models.JSONField(null=True)
    # Of the engines of its job the one that is at it, from 0 (ADR 0022).
    place = models.SmallIntegerField(_("place in the list of engines"), default=0, db_default=0)
    last_error = models.CharField(_("last error"), max_length=500, blank=True)
    # The key of the ErrorSignature of the last error; empty without one.
    signature = models.CharField(_("error signature"), max_length=12, blank=True, default="", db_default="")
    # When the last sixty checks were made, in milliseconds since 1970: rows of events would be millions.
    check_times = ArrayField(models.BigIntegerField(), default=list, db_default=[], editable=False)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="records", verbose_name=_("run"))
    uploaded_at = models.DateTimeField(_("first upload"), null=True, editable=False)
    first_processed_at = models.DateTimeField(_("first time processed"), null=True)
    last_processed_at = models.DateTimeField(_("last time processed"), null=True)
    created_at = models.DateTimeField(_("created"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    mark_due = models.BooleanField(default=False, help_text=_("the business row does not show this state yet"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "tenant", "record_type", "record_id"], name="record_once_per_job")
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(mark_due=True), name="record_mark_due"),
            models.Index(
                fields=["job", "tenant", "lane", "next_at"],
                condition=models.Q(state="in_progress"),
                name="record_due_in_lane",
            ),
            models.Index(
                fields=["job", "tenant", "lane", "next_at"],
                condition=models.Q(state="in_progress") & ~models.Q(stage="new"),
                name="record_begun_in_lane",
            ),
            models.Index(
                fields=["job", "tenant", "lane", "next_at"],
                condition=models.Q(state="in_progress", place__gt=0),
                name="record_passed_on",
            ),
            models.Index(fields=["job", "place", "-id"], condition=models.Q(place__gt=0), name="record_by_place"),
            models.Index(fields=["job", "state", "-id"], name="record_list"),
            models.Index(fields=["record_id"], name="record_by_object"),
            models.Index(
                fields=["job", "signature", "-id"], condition=~models.Q(signature=""), name="record_by_signature"
            ),
            # Also for the beginning of a reason: a filter names itself behind a colon. Most records have none.
            models.Index(
                fields=["job", "reason", "-id"],
                opclasses=["int8_ops", "varchar_pattern_ops", "int8_ops"],
                condition=~models.Q(reason=""),
                name="record_by_reason",
            ),
            # Days lie together, because records are stored in the order of time; a summary of the pages costs no HOT update.
            BrinIndex(
                Coalesce("last_processed_at", "created_at"),
                pages_per_range=32,
                autosummarize=True,
                name="record_moment",
            ),
            models.Index(fields=["tenant"], condition=models.Q(wait="limit"), name="record_held_by_limit"),
            models.Index(fields=["tenant"], condition=models.Q(wait="tenant"), name="record_held_by_tenant"),
            models.Index(
                fields=["job", "next_at"],
                condition=models.Q(state="in_progress")
                & (models.Q(crashes__gte=2) | models.Q(crashes=1, lease_until__isnull=False)),
                name="record_suspect",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def reason_label(self) -> str:
        """The reason as a sentence."""
        return Reason.label_of(self.reason) if self.reason else ""

    @property
    def retries(self) -> int:
        """Retries as the guide counts them: the upload plus every check (domain C19)."""
        return self.uploads + self.checks

    @property
    def max_retries(self) -> int:
        """One upload and all checks: 51 by default (domain C19)."""
        return self.job.max_checks + 1


class RecordEvent(models.Model):
    """One line of a record's timeline; written in batches."""

    record = models.ForeignKey(Record, on_delete=models.CASCADE, related_name="events")
    generation = models.PositiveIntegerField()
    at = models.DateTimeField(_("time"))
    step = models.CharField(_("step"), max_length=40)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    trace: Any = models.JSONField(default=list, db_default=[])

    def __str__(self) -> str:
        return self.step


class ErrorSignature(models.Model):
    """An error without what differs from record to record (``jobs.signatures``); records name it by its digest."""

    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=12)
    text = models.CharField(_("error"), max_length=500)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "digest"], name="error_signature_once_per_job")]

    def __str__(self) -> str:
        return self.text


class Cleanup(models.Model):
    """A remote job that is no longer needed and must be deleted at the provider (security R9)."""

    kind = models.CharField(max_length=40)
    settings: Any = models.JSONField()
    tenant_id = models.UUIDField()
    remote: Any = models.JSONField()
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_index=True)
    last_error = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class LogEntry(models.Model):
    """A line of the Logs tab. Never holds conversation text or secrets."""

    class Severity(models.TextChoices):
        """Severities of the guide's filter (domain M11)."""

        INFO = "info", _("Info")
        WARNING = "warning", _("Warning")
        ERROR = "error", _("Error")

    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="logs", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    record = models.ForeignKey(Record, on_delete=models.SET_NULL, null=True, related_name="logs")
    tenant_id = models.UUIDField(null=True)
    record_uuid = models.UUIDField(null=True)
    at = models.DateTimeField(_("date/time"))
    severity = models.CharField(_("severity"), max_length=8, choices=Severity)
    message = models.CharField(_("message"), max_length=500)

    class Meta:
        indexes = [models.Index(fields=["job", "-id"], name="log_list")]
        verbose_name_plural = "log entries"

    def __str__(self) -> str:
        return self.message

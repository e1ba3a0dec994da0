"""Job definitions, and how far their sweeps have come."""

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from queues.models import AccessScope, ProcessingQueue
from tenants.models import Tenant, TenantGroup, validate_time_zone


class DataSource(models.TextChoices):
    """Where a job takes its records from (domain T18, C34). All but the queue sweep the tenants in scope."""

    QUEUE = "queue", _("Incremental using queue")
    STORAGE = "storage", _("Incremental using DB storage (deprecated)")
    TOKEN = "token", _("Full mode with continuation token")
    FULL = "full", _("Full mode on each run")


SWEEPING = (DataSource.STORAGE, DataSource.TOKEN, DataSource.FULL)
# What these take in is backfill: it yields to live work.
FULL_MODES = (DataSource.TOKEN, DataSource.FULL)


class EndedRecords(models.TextChoices):
    """What a sweep does with a conversation whose record the job has ended already."""

    LEAVE = "leave", _("Leave them as they are")
    AGAIN = "again", _("Process them again")


class Schedule(models.TextChoices):
    """When a job takes records from its queue (domain T22). Timed ones keep their times as a cron expression."""

    MANUAL = "manual", _("Manually")
    CONTINUOUS = "continuous", _("Continuously")
    HOURLY = "hourly", _("Every Hour")
    DAILY = "daily", _("Every Day")
    WEEKLY = "weekly", _("Every Week")
    MONTHLY = "monthly", _("Every Month")
    CRON = "cron", _("Custom (cron tab)")


class Priority(models.IntegerChoices):
    """Whose passes start first, and who gets more of an engine that several jobs use."""

    LOW = 1, _("Low")
    NORMAL = 2, _("Normal")
    HIGH = 3, _("High")


class JobDefinition(models.Model):
    """What to do (kind and its settings), with whose records, from where, when (domain T16–T20)."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    kind = models.CharField(_("type"), max_length=40)
    enabled = models.BooleanField(_("enable"), default=True)
    access_scope = models.CharField(
        _("access scope"), max_length=20, choices=AccessScope, default=AccessScope.UNRESTRICTED
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("tenant"))
    tenant_groups = models.ManyToManyField(TenantGroup, blank=True, verbose_name=_("tenant groups"))
    data_source = models.CharField(_("data source"), max_length=20, choices=DataSource, default=DataSource.QUEUE)
    source_queue = models.ForeignKey(
        ProcessingQueue,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name=_("source queue"),
    )
    ended_records = models.CharField(
        _("records that have ended"),
        max_length=8,
        choices=EndedRecords,
        default=EndedRecords.LEAVE,
        db_default=EndedRecords.LEAVE,
    )
    throttle = models.PositiveIntegerField(_("throttle"), null=True, blank=True, help_text=_("records a minute"))
    budget_minutes = models.PositiveIntegerField(_("budget"), null=True, blank=True, help_text=_("minutes of audio"))
    lag_target_s = models.PositiveIntegerField(_("target of the live lag"), null=True, blank=True)
    publish_to = models.ManyToManyField(
        ProcessingQueue, blank=True, related_name="fed_by", verbose_name=_("publish to queue(s)")
    )
    clear_tag = models.CharField(_("clear a tag"), max_length=60, blank=True, default="", db_default="")
    assign_tag = models.CharField(_("assign a tag"), max_length=60, blank=True, default="", db_default="")
    settings: Any = models.JSONField(default=dict, verbose_name=_("settings of the kind"))
    filters: Any = models.JSONField(default=list, verbose_name=_("filtering criteria"))
    schedule = models.CharField(_("schedule"), max_length=12, choices=Schedule, default=Schedule.CONTINUOUS)
    cron = models.CharField(_("cron expression"), max_length=120, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    max_checks = models.PositiveSmallIntegerField(_("checks for a result"), default=50)
    max_attempts = models.PositiveSmallIntegerField(_("attempts"), default=5)
    batch_size = models.PositiveSmallIntegerField(_("batch size"), default=500)
    # The policy: its rules and bounds are those of ``jobs.policy.rules``.
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority, default=Priority.NORMAL, db_default=Priority.NORMAL
    )
    concurrency = models.PositiveSmallIntegerField(_("calls at once"), null=True, blank=True)
    rate = models.PositiveIntegerField(_("rate"), null=True, blank=True, help_text=_("new records a minute"))
    tenant_rate = models.PositiveIntegerField(
        _("rate of a tenant"), null=True, blank=True, help_text=_("new records a minute")
    )
    # By the short name of the tenant; who is not named has weight 1.
    tenant_weights: Any = models.JSONField(_("weights of tenants"), default=dict, db_default={}, blank=True)
    retry_base_s = models.PositiveIntegerField(
        _("first pause after an error"), default=2, db_default=2, help_text=_("seconds")
    )
    retry_factor = models.FloatField(_("growth of the pause"), default=2.0, db_default=2.0)
    retry_max_s = models.PositiveIntegerField(_("longest pause"), default=900, db_default=900, help_text=_("seconds"))
    request_timeout_s = models.PositiveIntegerField(
        _("timeout of a request"), null=True, blank=True, help_text=_("seconds")
    )
    conversation_timeout_min = models.PositiveIntegerField(
        _("timeout of a conversation"), null=True, blank=True, help_text=_("minutes")
    )
    lease_seconds = models.PositiveSmallIntegerField(_("lease"), default=15, help_text=_("seconds"))
    log_days = models.PositiveSmallIntegerField(_("days that log lines are kept"), default=60, db_default=60)
    log_max_lines = models.PositiveIntegerField(_("log lines kept at most"), default=1_000_000, db_default=1_000_000)
    start_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_start_at = models.DateTimeField(null=True, blank=True, editable=False)
    # While it is set, nothing new is claimed and what is under way is finished; Start clears it.
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True, editable=False)
    # When somebody last acted on records of the job; with the newest run it says whether a page still shows the truth.
    records_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def takes_in(self) -> bool:
        """Whether its schedule lets it take in new work now."""
        return self.schedule == Schedule.CONTINUOUS or self.start_requested_at is not None

    @property
    def status(self) -> str:
        """enabled, paused or disabled, as badges and exports name it."""
        if not self.enabled:
            return "disabled"
        return "enabled" if self.paused_at is None else "paused"


class Continuation(models.Model):
    """How far the sweep of a job has come: one row for each job that does not read a queue.

    Position and records move in one transaction, guarded by ``version``: a sweep that is killed goes on where it was
    and takes nothing twice. ``until`` is fixed when a sweep begins; what is stored later belongs to the next one.
    """

    class State(models.TextChoices):
        """ready → running → done; stopped when the budget is used up. Reset and a new start lead back to ready."""

        READY = "ready", _("Not begun")
        RUNNING = "running", _("Under way")
        STOPPED = "stopped", _("Stopped at the budget")
        DONE = "done", _("At the end")

    job = models.OneToOneField(JobDefinition, on_delete=models.CASCADE, related_name="continuation")
    number = models.PositiveIntegerField(_("sweep"), default=1)
    state = models.CharField(_("status"), max_length=8, choices=State, default=State.READY)
    version = models.PositiveBigIntegerField(default=0)
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    at_tenant = models.UUIDField(null=True)
    after_time = models.DateTimeField(null=True)
    after_id = models.UUIDField(null=True)
    tenants = models.PositiveIntegerField(_("tenants finished"), default=0)
    seen = models.PositiveBigIntegerField(_("conversations seen"), default=0)
    taken = models.PositiveBigIntegerField(_("taken in"), default=0)
    again = models.PositiveBigIntegerField(_("processed again"), default=0)
    seconds = models.PositiveBigIntegerField(_("audio taken in"), default=0)
    expected = models.PositiveBigIntegerField(_("conversations expected"), null=True)
    next_at = models.DateTimeField(default=timezone.now)
    held_since = models.DateTimeField(null=True)
    held_lag_s = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.job_id} #{self.number}"

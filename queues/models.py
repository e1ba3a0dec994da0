"""Queues and their pending items. Both are public: work is found without entering a tenant."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from queues.events import Event, RecordType
from tenants.models import Tenant, TenantGroup


class AccessScope(models.TextChoices):
    """The four scopes of jobs (domain T17, C33) ; queues use the same set (C47)."""

    UNRESTRICTED = "unrestricted", _("Unrestricted - All tenants, including System")
    TENANTS_ONLY = "tenants_only", _("Tenants only - All tenants, excluding System")
    TENANT_GROUPS = "tenant_groups", _("Tenant groups")
    ONE_TENANT = "one_tenant", _("One tenant")


class QueueScope(models.TextChoices):
    """Whose records a queue takes (domain C47)."""

    GLOBAL = "global", _("Global")
    TENANT_GROUPS = "tenant_groups", _("Tenant groups")
    ONE_TENANT = "one_tenant", _("One tenant")


class ProcessingQueue(models.Model):
    """Collects records when its events happen (domain T11–T15)."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    enabled = models.BooleanField(_("enable"), default=True)
    paused = models.BooleanField(_("paused"), default=False, db_default=False, editable=False)
    # How much was pending when draining began; none once it collects again.
    drained_from = models.PositiveBigIntegerField(null=True, editable=False)
    scope = models.CharField(_("scope"), max_length=20, choices=QueueScope, default=QueueScope.GLOBAL)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("tenant"))
    tenant_groups = models.ManyToManyField(TenantGroup, blank=True, verbose_name=_("tenant groups"))
    record_type = models.CharField(_("record type"), max_length=20, choices=RecordType, default=RecordType.CALL)
    events = ArrayField(models.CharField(max_length=40, choices=Event), verbose_name=_("populate queue with events"))
    replicate = models.BooleanField(_("replicate this queue settings to the pairing server"), default=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class QueueItem(models.Model):
    """A pending record: unique per (queue, tenant, record); publishing again refreshes it (domain §4.10)."""

    queue = models.ForeignKey(ProcessingQueue, on_delete=models.CASCADE, related_name="items")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False, related_name="+")
    record_type = models.CharField(max_length=20, choices=RecordType)
    record_id = models.UUIDField(default=uuid.uuid4)
    event = models.CharField(max_length=40)
    published_at = models.DateTimeField()
    refreshed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "tenant", "record_type", "record_id"], name="queue_item_once")
        ]
        indexes = [
            models.Index(fields=["queue", "tenant", "id"], name="queue_item_take"),
            models.Index(fields=["queue", "published_at"], name="queue_item_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.queue_id} {self.record_type} {self.record_id}"


class QueueFlow(models.Model):
    """How many items came into a queue and went out of it in a minute; triggers write a row for each statement.

    All rows of a queue added up are what is pending in it. Old ones are folded together (``queues.flow``), so that
    this sum is cheap however many items there are. Without a constraint: rows may outlive their queue by seconds.
    """

    queue = models.ForeignKey(
        ProcessingQueue, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="flow"
    )
    minute = models.DateTimeField()
    came = models.BigIntegerField()
    went = models.BigIntegerField()
    folded = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [models.Index(fields=["queue", "minute"], name="queue_flow_minute")]

    def __str__(self) -> str:
        return f"{self.queue_id} {self.minute:%H:%M} +{self.came} -{self.went}"


class QueuePurge(models.Model):
    """The emptying of a queue in slices by a task: to keep the queue, or to delete it when it is empty.

    running → finished | aborted. A purge takes what was pending when it was asked for: items up to ``until``, unless they
    were published anew since. A deletion takes everything.
    """

    class State(models.TextChoices):
        """Where it stands."""

        RUNNING = "running", _("Running")
        FINISHED = "finished", _("Finished")
        ABORTED = "aborted", _("Aborted")

    queue = models.ForeignKey(ProcessingQueue, on_delete=models.CASCADE, related_name="purges")
    deletes = models.BooleanField(default=False)
    until = models.BigIntegerField()
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.RUNNING)
    total = models.PositiveBigIntegerField()
    removed = models.PositiveBigIntegerField(default=0)
    # How far it has come through the index of the queue's items, so that no slice begins anew.
    last_tenant = models.UUIDField(null=True)
    last_item = models.BigIntegerField(null=True)
    actor = models.CharField(_("who"), max_length=200)
    audit_tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    # Why it ended otherwise than wanted.
    note = models.CharField(max_length=300, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["queue"], condition=models.Q(state="running"), name="queue_purge_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.queue_id} -{self.removed}"


# At the end, because those models point here; so that all models of the app are known by the module Django loads.
from queues.replication import models as replication_models  # noqa: E402, F401

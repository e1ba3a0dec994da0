"""Actions on many records at once: what was frozen when they were previewed, and how far they have come."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from tenants.models import Tenant


class BulkAction(models.Model):
    """One action on the rows that a filter matched, or that were ticked, at the moment of its preview.

    freezing → ready → running → finished | aborted. Rows are found by ``source`` (a list of the registry
    ``jobs.bulk_actions.registry``) with its object ``source_id`` and the ``query`` of its address.
    """

    class State(models.TextChoices):
        """Where the action stands."""

        FREEZING = "freezing", _("Counting")
        READY = "ready", _("Ready to start")
        RUNNING = "running", _("Running")
        FINISHED = "finished", _("Finished")
        ABORTED = "aborted", _("Aborted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    action = models.CharField(_("action"), max_length=20)
    source = models.CharField(max_length=20)
    source_id = models.BigIntegerField()
    query = models.TextField(blank=True)
    ticked = ArrayField(models.BigIntegerField(), null=True)
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.FREEZING)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("user"))
    actor = models.CharField(_("who"), max_length=200)
    audit_tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=10, blank=True)
    # The lowest id that was looked at: rows are frozen from the newest to the oldest.
    frozen_to = models.BigIntegerField(null=True)
    total = models.PositiveBigIntegerField(_("records"), default=0)
    changed = models.PositiveBigIntegerField(_("changed"), default=0)
    skipped = models.PositiveBigIntegerField(_("skipped"), default=0)
    # At most so many members a minute; None, as fast as possible.
    per_minute = models.PositiveIntegerField(_("at most a minute"), null=True)
    fence = models.PositiveBigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state__in=["freezing", "running"]),
                name="bulk_action_at_work",
            ),
            models.Index(fields=["source", "source_id", "-created_at"], name="bulk_action_of_source"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def handled(self) -> int:
        """Members that are done with, changed or not."""
        return self.changed + self.skipped


class BulkSlice(models.Model):
    """A thousand members at most: their ids, what each was when it was frozen, and what became of them."""

    action = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="slices", db_index=False)
    number = models.PositiveIntegerField()
    ids = ArrayField(models.BigIntegerField())
    stamps = ArrayField(models.CharField(max_length=24))
    done = models.BooleanField(default=False)
    # Members that were left alone: their ids and why (a code of ``jobs.bulk_actions.working``).
    skipped_ids = ArrayField(models.BigIntegerField(), default=list)
    skipped_why = ArrayField(models.CharField(max_length=12), default=list)
    output = models.BinaryField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["action", "number"], name="bulk_slice_number")]

    def __str__(self) -> str:
        return f"{self.action_id} {self.number}"

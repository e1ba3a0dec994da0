"""Runs of the playground. Never any text of a conversation: what was answered is in the tenant."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from aiassistant.library.models import AITask
from core.ids import uuid7
from core.outcomes import Reason
from tenants.models import Tenant


class PlaygroundRun(models.Model):
    """A draft of a task (``content``: ``library.checking.CONTENT``) tried on conversations of one tenant.

    ``number`` is that of the stored version that is tried, None for edits that nobody saved; ``current`` the id of the
    version beside it, None when none runs or it asks the same. ``newest`` of those that pass the draft's filters, or the
    ``wanted`` ones, become ``records`` when a worker begins. ``done`` of them are answered. ``figures`` are sums by side.
    A worker holds the run until ``lease_until`` and writes with its ``fence``; ``crashes`` counts those that died with it.
    ``next_at`` is when a run that waits for the tenant's rate goes on.
    """

    class State(models.TextChoices):
        """waiting → running → completed | failed | cancelled; running → waiting for the tenant's rate."""

        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        COMPLETED = "completed", _("Completed")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(AITask, on_delete=models.CASCADE, related_name="+", verbose_name=_("task"))
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", verbose_name=_("tenant"))
    content: Any = models.JSONField()
    number = models.PositiveIntegerField(_("version"), null=True)
    current = models.BigIntegerField(null=True)
    newest = models.PositiveSmallIntegerField(null=True)
    wanted: Any = ArrayField(models.UUIDField(), default=list)
    records: Any = ArrayField(models.UUIDField(), default=list)
    done = models.PositiveSmallIntegerField(_("done"), default=0)
    figures: Any = models.JSONField(default=dict)
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.WAITING)
    reason = models.CharField(_("reason"), max_length=80, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    stopping = models.BooleanField(default=False)
    fence = models.PositiveIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(default=timezone.now)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("by"))
    created_at = models.DateTimeField(_("requested"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(state__in=["waiting", "running"]), name="playground_unfinished"
            ),
            models.Index(fields=["task", "-created_at"], name="playground_of_task"),
            models.Index(fields=["created_at"], name="playground_age"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} {self.state}"

    @property
    def ended(self) -> bool:
        """Nothing happens any more."""
        return self.state in {self.State.COMPLETED, self.State.FAILED, self.State.CANCELLED}

    @property
    def reason_label(self) -> str:
        """The reason as a sentence."""
        return Reason.label_of(self.reason) if self.reason else ""

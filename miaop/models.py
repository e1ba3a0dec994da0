"""Tasks and their meetings. In every tenant's schema and nowhere else."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from conversations.models import Call
from core.ids import uuid7
from miaop.deletion import set_null_and_moment
from tenants.querysets import TenantManager


class Task(models.Model):
    """One submission. What was submitted is kept as it came (``members``); the columns are what is asked about.

    Its status is not stored: it follows from the conversations of its meetings (5.2).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task_id = models.CharField(_("task id"), max_length=128, unique=True)
    name = models.CharField(_("task name"), max_length=255)
    # Of the members and the files, in hexadecimal: the same submission again is recognised by it (A24).
    digest = models.CharField(max_length=64)
    members: Any = models.JSONField(help_text=_("as submitted, defaults filled in"))
    base_languages = ArrayField(models.CharField(max_length=60), verbose_name=_("languages"))
    supervisor_name = models.CharField(_("supervisor"), max_length=255, blank=True)
    supervisor_email = models.CharField(_("supervisor's email"), max_length=254, blank=True)
    # DO_NOTHING: users are disabled, never deleted; the constraint in the database holds.
    submitted_by = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, null=True, related_name="+", verbose_name=_("submitted by")
    )
    # The active user that the supervisor's address named at submission, whose the conversations are.
    owner = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, null=True, related_name="+", verbose_name=_("supervisor as a user")
    )
    archived = models.BooleanField(_("archived"), default=False)
    created_at = models.DateTimeField(_("submitted"), db_default=Now(), editable=False)
    # Of the task itself; that of its meetings is newer or older.
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["-changed_at", "task_id"], name="task_newest"),
            models.Index(Lower("supervisor_email"), name="task_supervisor"),
            models.Index(fields=["submitted_by"], name="task_submitter"),
            GinIndex(fields=["base_languages"], name="task_languages"),
        ]

    def __str__(self) -> str:
        return self.task_id


class Meeting(models.Model):
    """One audio file of a task: the meeting ``number.task_id`` (R4.4, R5.4). Without a call: that was deleted."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="meetings", verbose_name=_("task"))
    number = models.PositiveIntegerField(_("number"), help_text=_("from 1"))
    file = models.CharField(_("file"), max_length=255)
    base_language = models.CharField(_("language"), max_length=60)
    call = models.OneToOneField(
        Call, on_delete=set_null_and_moment, null=True, related_name="meeting", verbose_name=_("conversation")
    )
    # When its call was deleted, by the clock of the database: the call takes its own moments along.
    call_deleted_at = models.DateTimeField(_("conversation deleted"), null=True, editable=False)

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "number"], name="meeting_of_task")]

    def __str__(self) -> str:
        return f"{self.number} of {self.task_id}"

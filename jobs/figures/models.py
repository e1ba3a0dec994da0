"""Figures of what jobs did: slices that passes only ever add, and the sums that one task folds them into."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

# Stands for all tenants together.
EVERYBODY = uuid.UUID(int=0)


class What(models.TextChoices):
    """What is counted. ``error``: an attempt that failed, whatever became of the record; ``recovered``: completed
    after at least one error; it is counted among ``completed`` too. ``passed_on``: one engine failed it for good and
    the next one of the job took it; the record has not ended.
    """

    TAKEN = "taken", _("Taken in")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    ABORTED = "aborted", _("Aborted")
    PASSED_ON = "passed_on", _("Passed on to another engine")
    ERROR = "error", _("Errors")
    RECOVERED = "recovered", _("Recovered errors")


class FigureSlice(models.Model):
    """What one transaction did for one tenant; written with the records themselves, so both are there or neither.

    Never updated: no two passes wait for each other. ``times`` is a histogram of ``jobs.figures.histogram`` or empty.
    Without constraints: rows may outlive job and tenant by seconds.
    """

    at = models.DateTimeField()
    job_id = models.BigIntegerField()
    engine = models.CharField(max_length=40, blank=True, default="", db_default="")
    tenant_id = models.UUIDField()
    what = models.CharField(max_length=10, choices=What)
    reason = models.CharField(max_length=80, blank=True, default="", db_default="")
    number = models.BigIntegerField()
    times = ArrayField(models.BigIntegerField(), default=list, db_default=[])

    def __str__(self) -> str:
        return f"{self.job_id} {self.what} {self.number}"


class Figure(models.Model):
    """A sum over a minute (all tenants together) or an hour (each tenant, and all together as ``EVERYBODY``)."""

    class Grain(models.TextChoices):
        """How long the time is that a row stands for."""

        MINUTE = "minute", _("minute")
        HOUR = "hour", _("hour")

    grain = models.CharField(max_length=6, choices=Grain)
    at = models.DateTimeField()
    job_id = models.BigIntegerField()
    engine = models.CharField(max_length=40, blank=True)
    tenant_id = models.UUIDField(default=EVERYBODY)
    what = models.CharField(max_length=10, choices=What)
    reason = models.CharField(max_length=80, blank=True)
    number = models.BigIntegerField()
    times = ArrayField(models.BigIntegerField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grain", "tenant_id", "at", "job_id", "engine", "what", "reason"], name="figure_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["at"],
                condition=models.Q(grain="hour", what="failed") & ~models.Q(tenant_id=EVERYBODY),
                name="figure_failed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.grain} {self.at:%Y-%m-%d %H:%M} {self.what} {self.number}"

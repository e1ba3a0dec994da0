"""What passes of all workers share so that limits hold over the whole cluster: slots of engines, and spent rates."""

from typing import Any

from django.db import models

from jobs.models.definitions import JobDefinition
from tenants.models import Tenant


class EngineSlots(models.Model):
    """Who may make how many calls to an engine at once. One row for each engine, changed only by naming ``version``.

    ``key`` names the engine as its kind says it (``transcription:7``); ``claims`` are those of ``jobs.policy.sharing``.
    """

    key = models.CharField(max_length=80, primary_key=True)
    claims: Any = models.JSONField(default=list)
    version = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.key


class RateWindow(models.Model):
    """How many new records a job began within the last minute: in all, or for one tenant.

    ``spent`` holds pairs of time (seconds since 1970, by the clock of the database) and number, oldest first.
    """

    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, related_name="+", db_index=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+")
    spent: Any = models.JSONField(default=list)
    # When the newest of them stops to count.
    over_at = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "tenant"], nulls_distinct=False, name="rate_window_once_per_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.tenant_id}"

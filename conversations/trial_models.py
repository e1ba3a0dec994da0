"""What drafts of AI tasks answered about conversations in the playground. In every tenant's schema and nowhere else."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from queues.events import RecordType
from tenants.querysets import TenantManager


class TrialResult(models.Model):
    """What a draft and the current version of a task answered about one conversation; never a value of a custom field.

    ``run_id`` is that of ``aiassistant.PlaygroundRun``. ``body`` is JSON + zstd (``conversations.trials``).
    """

    id = models.BigAutoField(primary_key=True)
    run_id = models.UUIDField()
    record_type = models.CharField(max_length=20, choices=RecordType)
    record_id = models.UUIDField(_("record id"))
    body = models.BinaryField()
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run_id", "record_id"], name="trial_result_once")]
        indexes = [
            models.Index(fields=["record_id"], name="trial_result_of_record"),
            models.Index(fields=["created_at"], name="trial_result_age"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.record_id}"

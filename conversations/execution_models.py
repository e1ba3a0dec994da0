"""What AI tasks asked and were answered about conversations. In every tenant's schema and nowhere else."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from queues.events import RecordType
from tenants.querysets import TenantManager


class ExecutionText(models.Model):
    """Requests and answers of one execution, kept for support for a while.

    ``execution_id`` is that of ``aiassistant.Execution``, where everything but the words is. ``body`` holds the exchanges
    as JSON + zstd (``conversations.executions``).
    """

    execution_id = models.UUIDField(primary_key=True)
    record_type = models.CharField(max_length=20, choices=RecordType)
    record_id = models.UUIDField(_("record id"))
    body = models.BinaryField()
    created_at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["record_id"], name="execution_text_of_record"),
            models.Index(fields=["created_at"], name="execution_text_age"),
        ]

    def __str__(self) -> str:
        return f"{self.execution_id}"

"""One append-only table; rows of one tenant form a hash chain (security A3)."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """Who did what to what, when; ``digest`` covers the row and the digest before it in the same chain.

    Names its tenant and actor by id without a foreign key: the trail outlives both.
    """

    tenant_id = models.UUIDField(verbose_name=_("tenant"))
    position = models.BigIntegerField(verbose_name=_("position in the chain"))
    at = models.DateTimeField(verbose_name=_("time"))
    actor = models.CharField(max_length=200, verbose_name=_("actor"))
    action = models.CharField(max_length=100, verbose_name=_("action"))
    target_type = models.CharField(max_length=50, verbose_name=_("object type"))
    target_id = models.CharField(max_length=64, verbose_name=_("object id"))
    details = models.JSONField(default=dict, verbose_name=_("details"))
    request_id = models.CharField(max_length=64, default="-", verbose_name=_("request id"))
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "position"], name="audit_chain_position")]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.tenant_id} #{self.position} {self.action}"

"""One append-only table, whose rows of one tenant form a hash chain (security A3), and the keys that sign it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """Who did what to what, when, from where and why; ``digest`` covers the row and the digest before it.

    Names its tenant and actor by id without a foreign key: the trail outlives both. The database refuses to change or
    delete a row. ``form`` says which fields the digest covers: 1 for rows of the first version, 2 for all fields.
    ``actor_tenant_id`` is the tenant of the acting user: of System when platform staff act on a tenant. ``before``
    and ``after`` hold the fields that changed, and no others.
    """

    tenant_id = models.UUIDField(verbose_name=_("tenant"))
    position = models.BigIntegerField(verbose_name=_("position in the chain"))
    at = models.DateTimeField(verbose_name=_("time"), db_index=True)
    actor = models.CharField(max_length=200, verbose_name=_("who"))
    actor_tenant_id = models.UUIDField(null=True, verbose_name=_("tenant of the actor"))
    action = models.CharField(max_length=100, verbose_name=_("action"))
    target_type = models.CharField(max_length=50, verbose_name=_("object type"))
    target_id = models.CharField(max_length=64, verbose_name=_("object id"))
    details = models.JSONField(default=dict, verbose_name=_("details"))
    before = models.JSONField(null=True, verbose_name=_("before"))
    after = models.JSONField(null=True, verbose_name=_("after"))
    reason = models.CharField(max_length=500, default="", db_default="", verbose_name=_("reason"))
    ip = models.GenericIPAddressField(null=True, verbose_name=_("IP address"))
    request_id = models.CharField(max_length=64, default="-", verbose_name=_("request id"))
    # Rows that a process of the first version still writes during an upgrade have its form.
    form = models.PositiveSmallIntegerField(default=2, db_default=1)
    previous_digest = models.CharField(max_length=64, verbose_name=_("digest before"))
    digest = models.CharField(max_length=64, verbose_name=_("digest"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "position"], name="audit_chain_position")]
        indexes = [
            models.Index(fields=["tenant_id", "id"], name="audit_of_tenant"),
            models.Index(fields=["actor_tenant_id", "id"], name="audit_of_actor_tenant"),
            models.Index(fields=["request_id"], name="audit_of_request"),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.tenant_id} #{self.position} {self.action}"


class SigningKey(models.Model):
    """An Ed25519 key of this installation. The id is the fingerprint of the public key; the private key is wrapped by
    the master key, so a row that somebody else put here does not open and signs nothing that we accept."""

    id = models.CharField(primary_key=True, max_length=32)
    public_key = models.BinaryField()
    wrapped_private_key = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id

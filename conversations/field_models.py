"""Values of custom fields, every version of them. In every tenant's schema and nowhere else."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Left, Lower
from django.utils.translation import gettext_lazy as _

from customfields.models import CustomField
from customfields.typed import Columns, Value, value_of
from queues.events import RecordType
from tenants.querysets import TenantManager

# So much of a text is in the index; what is longer is compared as a whole after that.
INDEXED_CHARS = 100


class Origin(models.TextChoices):
    """Who says it."""

    PERSON = "person", _("Person")
    AI = "ai", _("AI task")
    IMPORT = "import", _("Import")
    MEASURED = "measured", _("Measured")


class FieldValue(models.Model):
    """One version of the value of a field of one conversation, which is named by record type and id (ADR 0012).

    Of a (conversation, field) one version is ``current``. ``held`` is what a machine said last while a person's value is
    pinned; it stands again when the pin is taken off. A value that is empty (no text, number or members) was emptied.
    """

    class Standing(models.TextChoices):
        """current ⇄ held → past."""

        CURRENT = "current", _("Current")
        HELD = "held", _("Held back")
        PAST = "past", _("Past")

    record_type = models.CharField(max_length=20, choices=RecordType)
    record_id = models.UUIDField()
    # DO_NOTHING: definitions leave a tombstone, so the constraint in the database always holds.
    field = models.ForeignKey(CustomField, on_delete=models.DO_NOTHING, related_name="+", db_index=False)
    standing = models.CharField(max_length=8, choices=Standing)
    text = models.TextField(null=True)
    number = models.DecimalField(null=True, max_digits=38, decimal_places=10)
    members = ArrayField(models.CharField(max_length=80), null=True)
    pinned = models.BooleanField(default=False)
    # Where it comes from.
    origin = models.CharField(_("origin"), max_length=8, choices=Origin)
    author = models.CharField(_("by"), max_length=200)
    created_at = models.DateTimeField(_("when"), auto_now_add=True)
    field_version = models.PositiveIntegerField()
    task_version = models.BigIntegerField(_("task version"), null=True)
    task_label = models.CharField(_("task"), max_length=200, blank=True)
    engine = models.CharField(_("engine"), max_length=120, blank=True)
    model = models.CharField(_("model"), max_length=120, blank=True)
    prompt_hash = models.CharField(_("prompt"), max_length=64, blank=True)
    tokens = models.PositiveIntegerField(_("tokens"), default=0)
    execution_id = models.UUIDField(_("execution"), null=True)
    transcript_version = models.PositiveIntegerField(_("transcript version"), null=True)
    explanation = models.TextField(_("explanation"), blank=True)
    # [{"quote", "turn", "start", "end", "start_ms", "verified"}]: conversations.fields.writing.Evidence.
    evidence: Any = models.JSONField(default=list, blank=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["record_id", "record_type", "field"],
                condition=models.Q(standing="current"),
                name="field_value_current",
            ),
            models.UniqueConstraint(
                fields=["record_id", "record_type", "field"],
                condition=models.Q(standing="held"),
                name="field_value_held",
            ),
        ]
        indexes = [
            models.Index(fields=["record_id", "record_type", "field", "-id"], name="field_value_history"),
            models.Index(
                fields=["field", "number"],
                condition=models.Q(standing="current", number__isnull=False),
                name="field_value_number",
            ),
            models.Index(
                models.F("field"),
                Lower(Left("text", INDEXED_CHARS)),
                condition=models.Q(standing="current", text__isnull=False),
                name="field_value_text",
            ),
            GinIndex(
                fields=["members"],
                condition=models.Q(standing="current", members__isnull=False),
                name="field_value_members",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record_type} {self.record_id} · {self.field_id}"

    @property
    def columns(self) -> Columns:
        """The stored value, whatever its type."""
        return Columns(self.text, self.number, None if self.members is None else tuple(self.members))

    @property
    def empty(self) -> bool:
        """Whether nothing is said."""
        return self.text is None and self.number is None and self.members is None

    def value(self, field: CustomField) -> Value | None:
        """As its field's type; ``field`` saves a query."""
        return value_of(field.definition, self.columns)

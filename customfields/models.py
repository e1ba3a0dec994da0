"""Definitions of custom fields. They are in public; the values are in the schema of each tenant (ADR 0012)."""

from functools import cached_property
from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from customfields.typed import Definition, FieldType
from tenants.models import Tenant


class Type(models.TextChoices):
    """``FieldType`` in words."""

    TEXT = FieldType.TEXT.value, _("Text")
    LONG_TEXT = FieldType.LONG_TEXT.value, _("Long text")
    INTEGER = FieldType.INTEGER.value, _("Whole number")
    DECIMAL = FieldType.DECIMAL.value, _("Decimal number")
    SCORE = FieldType.SCORE.value, _("Score")
    CHOICE = FieldType.CHOICE.value, _("Choice")
    MULTI_CHOICE = FieldType.MULTI_CHOICE.value, _("Several choices")
    BOOLEAN = FieldType.BOOLEAN.value, _("Yes or no")
    DATE = FieldType.DATE.value, _("Date")


class Attribute(models.TextChoices):
    """The row of the grid of rights that says who sees and edits the values (domain L11)."""

    CUSTOM_FIELDS = "custom_fields", _("Custom fields")
    SUMMARY = "summary", _("Summary")
    SENTIMENT = "sentiment", _("Sentiment score")
    TOPICS = "topics", _("Topics")


class Tone(models.TextChoices):
    """The colours of bands; the label always stands beside them."""

    SUCCESS = "success", _("green")
    INFO = "info", _("blue")
    MUTED = "muted", _("grey")
    WARNING = "warning", _("amber")
    DANGER = "danger", _("red")


class CustomField(models.Model):
    """One field of all tenants (``tenant`` None) or of one.

    ``key`` names it in tasks, files and the API: unique among the fields that a tenant has, its own and the global ones.
    ``settings`` are those of ``definitions.clean_settings``. A deleted field stays as a tombstone, because values and
    filters of thousands of tenants may still name it; its key is free again.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("tenant"))
    key = models.CharField(
        _("key"),
        max_length=64,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*\Z", _("Use a–z, digits and _; begin with a letter."))],
    )
    name = models.CharField(_("name"), max_length=64)
    description = models.CharField(_("description"), max_length=4096, blank=True)
    type = models.CharField(_("type"), max_length=16, choices=Type)
    settings: Any = models.JSONField(default=dict, blank=True)
    group = models.CharField(_("display group"), max_length=64, blank=True)
    position = models.PositiveIntegerField(_("order"), default=100)
    attribute = models.CharField(_("right"), max_length=16, choices=Attribute, default=Attribute.CUSTOM_FIELDS)
    enabled = models.BooleanField(_("enable"), default=True)
    editable = models.BooleanField(_("people may edit it"), default=True)
    in_lists = models.BooleanField(_("column and filter of lists"), default=False)
    # Set with the first value: from then on key and type stay (domain §2, Custom field).
    has_values = models.BooleanField(default=False, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key"],
                condition=models.Q(deleted_at=None),
                name="custom_field_key",
                violation_error_message=_("There is a field with this key."),
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=models.Q(deleted_at=None, tenant=None),
                name="custom_field_global_key",
                violation_error_message=_("There is a field with this key."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def definition(self) -> Definition:
        """What judges values, without Django."""
        return Definition(self.name, FieldType(self.type), self.settings)

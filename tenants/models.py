"""Tenants, tenant groups, requests to delete a tenant's data, and the addresses that engines may reach inside."""

import uuid
import zoneinfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless ``name`` is an IANA time zone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(name)s” is not an IANA time zone."), params={"name": name})


def validate_language(code: str) -> None:
    """Raise ValidationError unless the product speaks ``code``."""
    if code not in dict(settings.LANGUAGES):
        raise ValidationError(_("“%(code)s” is not one of the languages."), params={"code": code})


def new_schema_name() -> str:
    """A schema name that was never used and never will be again (security M5)."""
    return f"t_{uuid.uuid4().hex}"


DAYS = [MinValueValidator(1), MaxValueValidator(36_500)]


class Tenant(models.Model):
    """A customer organisation. Its data are in the schema ``schema_name``; the row itself is in public.

    On purpose no ``TenantMixin``: its ``with tenant:`` swaps tenants between threads (security M1).
    """

    class State(models.TextChoices):
        """new → ready ⇄ suspended → closed → deleted; only a ready tenant can be entered.

        Of a deleted one the row stays, because statements and audit name it; its data and its key are gone.
        """

        NEW = "new", _("New")
        READY = "ready", _("Ready")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")
        DELETED = "deleted", _("Deleted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.CharField(
        _("short name"),
        max_length=40,
        validators=[
            RegexValidator(r"^[a-z0-9]+(?:-[a-z0-9]+)*\Z", _("Use lower-case letters a–z, digits and single hyphens."))
        ],
    )
    name = models.CharField(_("name"), max_length=120)
    schema_name = models.CharField(max_length=63, unique=True, default=new_schema_name, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.NEW)
    is_system = models.BooleanField(default=False, editable=False)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[validate_time_zone])
    language = models.CharField(_("language"), max_length=10, default="en-gb", validators=[validate_language])
    contact_name = models.CharField(_("contact person"), max_length=120, blank=True)
    contact_email = models.EmailField(_("contact email"), blank=True)
    contact_phone = models.CharField(
        _("contact phone"),
        max_length=40,
        blank=True,
        validators=[RegexValidator(r"^[0-9+()./ -]+\Z", _("Use digits, spaces and the signs + ( ) . / - only."))],
    )
    # Days until something is removed; None keeps it for ever.
    audio_days = models.PositiveIntegerField(_("keep audio"), null=True, blank=True, validators=DAYS)
    transcript_days = models.PositiveIntegerField(_("keep transcripts"), null=True, blank=True, validators=DAYS)
    call_days = models.PositiveIntegerField(_("keep calls"), null=True, blank=True, validators=DAYS)
    job_history_days = models.PositiveIntegerField(
        _("keep the history of jobs"), default=60, validators=[MinValueValidator(1), MaxValueValidator(3650)]
    )
    # Bumped by whoever makes, renames, disables, enables or deletes a user of the tenant.
    people_version = models.BigIntegerField(default=0, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    wrapped_data_key = models.BinaryField(editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("slug"), name="tenant_slug_unique", violation_error_message=_("This short name is taken.")
            ),
            models.UniqueConstraint(fields=["is_system"], condition=models.Q(is_system=True), name="one_system_tenant"),
            models.CheckConstraint(condition=models.Q(job_history_days__range=(1, 3650)), name="tenant_history_days"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def choice_label(self) -> str:
        """How a list of choices names it: two tenants may have the same name. The state stands there where it matters."""
        if self.state == self.State.DELETED:
            return gettext("%(name)s (%(slug)s, deleted)") % {"name": self.name, "slug": self.slug}
        return f"{self.name} ({self.slug})"


class TenantGroup(models.Model):
    """A named set of tenants, used by access scopes (domain C33, C47)."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    tenants = models.ManyToManyField(Tenant, verbose_name=_("tenants"), related_name="groups", blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return self.name


class DeletionRequest(models.Model):
    """The wish to delete a closed tenant's data: one person asks, another one confirms (security §3, two persons).

    Kept after the deletion. ``confirmed_at`` starts the work; ``files_deleted_at`` ends it. People are named by id
    and text, without a foreign key: the request outlives both.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="deletion", verbose_name=_("tenant"))
    reason = models.CharField(_("reason"), max_length=200)
    requested_by_id = models.UUIDField()
    requested_by = models.CharField(_("requested by"), max_length=200)
    requested_at = models.DateTimeField(_("requested"), auto_now_add=True)
    confirmed_by = models.CharField(_("confirmed by"), max_length=200, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    files_deleted_at = models.DateTimeField(_("files deleted"), null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.tenant} · {self.requested_by}"


class AllowedAddress(models.Model):
    """An inside network and port that a platform admin lets engines reach (hostile 3G11)."""

    cidr = models.GenericIPAddressField(_("address"), unpack_ipv4=True)
    prefix_length = models.PositiveSmallIntegerField(_("prefix length"))
    port = models.PositiveIntegerField(_("port"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cidr", "prefix_length", "port"], name="allowed_address_unique"),
            models.CheckConstraint(condition=models.Q(port__range=(1, 65535)), name="allowed_address_port"),
        ]
        verbose_name_plural = "allowed addresses"

    def __str__(self) -> str:
        return f"{self.cidr}/{self.prefix_length} port {self.port}"

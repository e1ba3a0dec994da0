"""The common columns of engines and of their tests; each family has tables of its own."""

import uuid
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from engines.families import Family
from tenants.models import Tenant


class Visibility(models.TextChoices):
    """Who may use an engine (domain C42)."""

    GLOBAL = "global", _("Global")
    ONE_TENANT = "one_tenant", _("One tenant")


class ConfiguredEngine(models.Model):
    """A configured engine (domain T8, T9). ``sealed_secrets`` is write-only."""

    family: ClassVar[Family]

    name = models.CharField(_("name"), max_length=120, unique=True)
    engine_type = models.CharField(_("engine"), max_length=40)
    enabled = models.BooleanField(_("enable"), default=True)
    visibility = models.CharField(_("visibility"), max_length=12, choices=Visibility, default=Visibility.GLOBAL)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("tenant"))
    settings: Any = models.JSONField(default=dict)
    sealed_secrets = models.BinaryField(default=bytes, editable=False)
    paused_at = models.DateTimeField(_("paused"), null=True, blank=True, editable=False)
    pause_reason = models.CharField(_("reason of the pause"), max_length=500, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def facts(self) -> dict[str, Any]:
        """What a person can change, secrets aside, as the audit trail shows it."""
        common = {name: getattr(self, name) for name in self.family.common}
        return {**self.settings, **common, "tenant": str(self.tenant or "")}


class ConnectionTest(models.Model):
    """One run of Test Connection (domain T10): the steps, their times, the provider's words."""

    class State(models.TextChoices):
        """waiting → running → passed | failed."""

        WAITING = "waiting", _("Waiting for a worker")
        RUNNING = "running", _("Running")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    requested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.WAITING)
    progress = models.PositiveSmallIntegerField(_("progress"), default=0)
    steps: Any = models.JSONField(default=list)
    heartbeat_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("requested"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.engine_id} {self.state}"  # type: ignore[attr-defined]


class PriceRow(models.Model):
    """What an engine costs from the beginning of a day (UTC) on. Rows that hold are never changed: they explain what was spent.

    ``told`` names what the audit trail says of a row.
    """

    told: ClassVar[tuple[str, ...]]

    valid_from = models.DateField(_("valid from"))
    currency = models.CharField(_("currency"), max_length=3)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.engine_id} {self.subject} {self.valid_from}"  # type: ignore[attr-defined]

    @property
    def subject(self) -> str:
        """What of the engine the row is for: rows for the same replace each other."""
        return ""

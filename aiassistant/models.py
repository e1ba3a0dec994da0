"""AI engines, their tests, prices, and who uses which by default."""

from decimal import Decimal
from typing import Any

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Value
from django.utils.translation import gettext_lazy as _

from aiassistant.family import AI
from engines.models import ConfiguredEngine, ConnectionTest, PriceRow
from tenants.models import Tenant


class Visibility(models.TextChoices):
    """Who may use an AI engine (domain C42)."""

    GLOBAL = "global", _("Global")
    TENANTS = "tenants", _("Chosen tenants")
    ONE_TENANT = "one_tenant", _("One tenant")


class AIEngine(ConfiguredEngine):
    """A configured AI engine.

    ``capabilities`` is what its server was found to do (``probed_at``: the last time that a test asked), ``overrides``
    what people say instead; ``calibration`` the factor of its token counts against our estimates. ``missing_model`` is
    the model that a paused engine's server does not have.
    """

    family = AI

    visibility = models.CharField(_("visibility"), max_length=12, choices=Visibility, default=Visibility.GLOBAL)
    tenants: Any = models.ManyToManyField(Tenant, blank=True, related_name="+", verbose_name=_("tenants"))
    capabilities: Any = models.JSONField(default=dict, editable=False)
    overrides: Any = models.JSONField(default=dict, db_default=Value({}, models.JSONField()), editable=False)
    probed_at = models.DateTimeField(_("probed"), null=True, editable=False)
    calibration = models.FloatField(default=1.0, editable=False)
    missing_model = models.CharField(max_length=120, blank=True, db_default="", default="", editable=False)

    @property
    def known(self) -> dict[str, Any]:
        """What counts: what was found out, and above it what people say."""
        return {**self.capabilities, **self.overrides}

    def facts(self) -> dict[str, Any]:
        """With the tenants by name."""
        chosen = sorted(self.tenants.values_list("name", flat=True)) if self.pk else []
        return {**super().facts(), "tenants": ", ".join(chosen)}


class AIEngineTest(ConnectionTest):
    """One run of Test Connection, with what the model answered."""

    engine = models.ForeignKey(AIEngine, on_delete=models.CASCADE, related_name="tests", verbose_name=_("engine"))
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]


class EnginePrice(PriceRow):
    """What an engine costs from a day on, per million tokens (providers §6.5).

    ``model_pattern`` is a model or a beginning with ``*``; ``reasoning`` None is the price of other output;
    ``batch_factor`` is for requests that may take a day.
    """

    told = ("model_pattern", "valid_from", "currency", "input", "cached_input", "output", "reasoning", "batch_factor")

    engine = models.ForeignKey(AIEngine, on_delete=models.CASCADE, related_name="prices", verbose_name=_("engine"))
    model_pattern = models.CharField(_("model"), max_length=120, default="*")
    input = models.DecimalField(_("input"), max_digits=14, decimal_places=6, validators=[MinValueValidator(0)])
    cached_input = models.DecimalField(
        _("cached input"), max_digits=14, decimal_places=6, validators=[MinValueValidator(0)]
    )
    output = models.DecimalField(_("output"), max_digits=14, decimal_places=6, validators=[MinValueValidator(0)])
    reasoning = models.DecimalField(
        _("reasoning"), max_digits=14, decimal_places=6, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    batch_factor = models.DecimalField(
        _("batch factor"), max_digits=4, decimal_places=3, default=Decimal(1), validators=[MinValueValidator(0)]
    )

    class Meta:
        ordering = ["-valid_from", "model_pattern"]
        constraints = [
            models.UniqueConstraint(
                fields=["engine", "model_pattern", "valid_from"], name="aiassistant_one_price_a_day"
            ),
            models.CheckConstraint(
                condition=models.Q(input__gte=0, cached_input__gte=0, output__gte=0, batch_factor__gte=0),
                name="aiassistant_price_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(reasoning__isnull=True) | models.Q(reasoning__gte=0),
                name="aiassistant_reasoning_not_negative",
            ),
        ]

    @property
    def subject(self) -> str:
        """Prices are told apart by their pattern."""
        return self.model_pattern


class DefaultEngine(models.Model):
    """The engine of a tenant where neither task nor job names one; without a tenant, that of the system (C35)."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("tenant"))
    engine = models.ForeignKey(AIEngine, on_delete=models.PROTECT, related_name="+", verbose_name=_("engine"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="aiassistant_one_system_default", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.engine_id}"


# Django looks for tables here.
from aiassistant.executing.models import Execution  # noqa: E402, F401
from aiassistant.library.models import AITask, AITaskVersion, TaskActivation, TaskLabel, TaskPolicy  # noqa: E402, F401
from aiassistant.pacing.models import EngineWindow  # noqa: E402, F401
from aiassistant.playground.models import PlaygroundRun  # noqa: E402, F401
from aiassistant.rails.models import Budget, DailyOutcome, TenantRate  # noqa: E402, F401

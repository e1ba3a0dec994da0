"""Budgets, and the rates of tenants."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from licensing.spending.book import Scope
from tenants.models import Tenant

MAX_RATE = 100_000


class Budget(models.Model):
    """How much may be spent in a month, in tokens or in micro-units of ``currency``.

    Without a tenant it counts all tenants together, by months of UTC; else by the tenant's months. At ``soft`` an alert
    is raised, at ``hard`` executions are skipped with the name of the budget. ``by_platform`` budgets are not the
    tenant's to change.
    """

    name = models.CharField(_("name"), max_length=120, unique=True)
    enabled = models.BooleanField(_("enable"), default=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("tenant"))
    task = models.ForeignKey(
        "aiassistant.AITask", on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("task")
    )
    engine = models.ForeignKey(
        "aiassistant.AIEngine", on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("engine")
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    soft = models.BigIntegerField(_("warn at"), null=True)
    hard = models.BigIntegerField(_("stop at"), null=True)
    by_platform = models.BooleanField(default=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(soft__gt=0) | models.Q(hard__gt=0), name="aiassistant_budget_has_an_amount"
            )
        ]
        indexes = [models.Index(fields=["tenant"], name="aiassistant_budget_of", condition=models.Q(enabled=True))]

    def __str__(self) -> str:
        return self.name

    @property
    def in_tokens(self) -> bool:
        """Counts tokens and not money."""
        return not self.currency

    def scope(self, period: str) -> Scope:
        """Whose spending it counts, in the month ``period``."""
        return Scope(self.pk, self.tenant_id, self.task_id, self.engine_id, self.currency, period)


class TenantRate(models.Model):
    """How many executions of a tenant may begin within a minute. ``spent`` is the bucket of ``jobs.policy.rates``."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="ai_rate", verbose_name=_("tenant"))
    per_minute = models.PositiveIntegerField(
        _("executions a minute"), validators=[MinValueValidator(1), MaxValueValidator(MAX_RATE)]
    )
    spent: Any = models.JSONField(default=list, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.per_minute}"


class DailyOutcome(models.Model):
    """How executions ended on one local day of a tenant, by task and engine: what rates and lists of failures are made of.

    ``invalid`` are those of ``failed`` whose answer could not be used, ``missing`` those of ``outputs`` without a value.
    ``engine`` is 0 where none was found.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    task_key = models.CharField(max_length=80)
    engine = models.BigIntegerField()
    completed = models.BigIntegerField()
    failed = models.BigIntegerField()
    invalid = models.BigIntegerField()
    skipped = models.BigIntegerField()
    outputs = models.BigIntegerField()
    missing = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "day", "task_key", "engine"], name="aiassistant_daily_outcome_once"
            )
        ]
        indexes = [models.Index(fields=["day"], name="aiassistant_outcome_by_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day} {self.task_key}"

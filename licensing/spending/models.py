"""Lines, holds and sums of tokens and money. Money is in micro-units of its currency, whole numbers (providers §6.5).

Tasks and engines are numbers here: they belong to a higher app, may be gone, and their lines stay.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant

# Sums over all tenants are spread over so many rows, so that commits of different tenants seldom meet in one.
SHARDS = 16


class Part(models.TextChoices):
    """What a request was for. All but ``ask``, ``map`` and ``reduce`` would not have been needed."""

    ASK = "ask", _("Question")
    MAP = "map", _("Notes on a part")
    REDUCE = "reduce", _("Answer from notes")
    RETRY = "retry", _("Repeated")
    REPAIR = "repair", _("Repair")


AGAIN = (Part.RETRY, Part.REPAIR)


class SpendLine(models.Model):
    """One request to an AI engine and what it cost. Rows are never changed (trigger).

    ``request`` names the execution whose ``number``-th request this was, from 1. ``price`` is the row that the cost was
    reckoned by, None where nobody has named a price: then ``cost`` is 0 and ``currency`` empty. ``playground`` was asked to
    try a draft: it counts like any other for sums and budgets. ``period`` and ``day`` are
    the month and day of ``at`` in ``zone``, never recomputed (R15).
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    request = models.CharField(max_length=80)
    number = models.PositiveSmallIntegerField()
    part = models.CharField(max_length=6, choices=Part)
    task = models.BigIntegerField()
    task_version = models.BigIntegerField()
    engine = models.BigIntegerField()
    model = models.CharField(max_length=120, blank=True)
    record_type = models.CharField(max_length=20)
    record_id = models.UUIDField()
    prompt = models.BigIntegerField()
    cached = models.BigIntegerField()
    completion = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    estimated = models.BooleanField()
    cost = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    price = models.BigIntegerField(null=True)
    playground = models.BooleanField(default=False, db_default=False)
    period = models.CharField(max_length=7)
    day = models.DateField()
    zone = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "request", "number"], name="spend_line_once"),
            models.CheckConstraint(
                condition=models.Q(
                    number__gte=1, prompt__gte=0, cached__gte=0, completion__gte=0, reasoning__gte=0, cost__gte=0
                ),
                name="spend_line_never_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "record_id", "at"], name="spend_line_by_record"),
            models.Index(fields=["at"], name="spend_line_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.request}.{self.number} {self.prompt}+{self.completion}"


class SpendHold(models.Model):
    """What an admitted execution may cost at most, until it is charged, given back, or ``until`` is over.

    Only executions that a hard budget counts have one; a worker that dies keeps the budget for so long and no longer.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    request = models.CharField(max_length=80)
    task = models.BigIntegerField()
    engine = models.BigIntegerField()
    tokens = models.BigIntegerField()
    cost = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "request"], name="spend_hold_once")]

    def __str__(self) -> str:
        return f"{self.request} {self.tokens}"


class DailySpend(models.Model):
    """The sums of the lines of one local day, by task, engine, model and currency. Rebuilt from the lines when needed.

    ``executions`` counts first requests, ``again`` repeated ones and repairs, which are part of ``requests`` and the sums.
    """

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    period = models.CharField(max_length=7)
    day = models.DateField()
    task = models.BigIntegerField()
    engine = models.BigIntegerField()
    model = models.CharField(max_length=120, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    executions = models.BigIntegerField()
    requests = models.BigIntegerField()
    again = models.BigIntegerField()
    prompt = models.BigIntegerField()
    cached = models.BigIntegerField()
    completion = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    again_tokens = models.BigIntegerField()
    cost = models.BigIntegerField()
    again_cost = models.BigIntegerField()
    estimated = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "period", "day", "task", "engine", "model", "currency"], name="daily_spend_once"
            )
        ]
        indexes = [models.Index(fields=["day"], name="daily_spend_by_day")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day} {self.task}"


class SpendTotal(models.Model):
    """Tokens and money of all tenants together in one month of UTC: what budgets without a tenant look at."""

    id = models.BigAutoField(primary_key=True)
    month = models.CharField(max_length=7)
    task = models.BigIntegerField()
    engine = models.BigIntegerField()
    currency = models.CharField(max_length=3, blank=True)
    shard = models.PositiveSmallIntegerField()
    tokens = models.BigIntegerField()
    cost = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["month", "task", "engine", "currency", "shard"], name="spend_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.task} {self.engine}"

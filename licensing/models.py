"""Licences of users, seats, service limits, and the ledger of everything that is metered."""

import uuid
from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User

# Tables with a subject of their own are found by Django through this import.
from licensing.spending import models as _spending  # noqa: F401
from tenants.models import Tenant

MAX_MINUTES = 100_000_000
MAX_SEATS = 1_000_000
NOBODY = uuid.UUID(int=0)


class Bundle(models.TextChoices):
    """The five licence check boxes of the guide (domain L9)."""

    CALL_RECORDING = "call_recording", _("Call recording")
    SCREEN_RECORDING = "screen_recording", _("Screen recording")
    LIVE_MONITORING = "live_monitoring", _("Live monitoring")
    AGENT_EVALUATION = "agent_evaluation", _("Agent evaluation")
    SPEECH_ANALYTICS = "speech_analytics", _("Speech analytics")


class Meter(models.TextChoices):
    """What is counted by whole units of work. Tokens and money have a book of their own: ``licensing.spending``."""

    TRANSCRIPTION_SECONDS = "transcription_seconds", _("Transcription, seconds")


class UserLicence(models.Model):
    """One licence of one user."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="licences", verbose_name=_("user"))
    bundle = models.CharField(_("licence"), max_length=20, choices=Bundle)
    granted_at = models.DateTimeField(_("granted"), auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "bundle"], name="user_licence_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_bundle_display()}"


class SeatLimit(models.Model):
    """How many licences of a bundle a tenant has bought (domain L7). No row: unlimited."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="seat_limits", verbose_name=_("tenant"))
    bundle = models.CharField(_("licence"), max_length=20, choices=Bundle)
    seats = models.PositiveIntegerField(_("seats"), validators=[MaxValueValidator(MAX_SEATS)])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "bundle"], name="seat_limit_once")]

    def __str__(self) -> str:
        return f"{self.tenant} · {self.get_bundle_display()}: {self.seats}"


class Entitlement(models.Model):
    """What a tenant may use: the four service limits, and how they are applied (domain L2, C24, C28, C29).

    One row a tenant, made with the first change; a tenant without one is unlimited.
    """

    class Policy(models.TextChoices):
        """What happens to a record that a limit denies."""

        DROP = "drop", _("Skip the record")
        HOLD = "hold", _("Hold the record until the month resets or the limit is raised")

    class PerUser(models.TextChoices):
        """Whether the limits per user make one pool, or each user has his own."""

        POOL = "pool", _("One pool of all licensed users")
        HARD = "hard", _("Each user has his own maximum")

    class MonthZone(models.TextChoices):
        """In which time zone months begin."""

        TENANT = "tenant", _("Time zone of the tenant")
        UTC = "utc", _("UTC")

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="entitlement")
    user_month = models.PositiveIntegerField(
        _("transcription (minutes/user) per month"), null=True, validators=[MaxValueValidator(MAX_MINUTES)]
    )
    user_lifetime = models.PositiveIntegerField(
        _("transcription (minutes/user) lifetime"), null=True, validators=[MaxValueValidator(MAX_MINUTES)]
    )
    org_month = models.PositiveIntegerField(
        _("transcription (minutes/org) per month"), null=True, validators=[MaxValueValidator(MAX_MINUTES)]
    )
    org_lifetime = models.PositiveIntegerField(
        _("transcription (minutes/org) lifetime"), null=True, validators=[MaxValueValidator(MAX_MINUTES)]
    )
    policy = models.CharField(_("when a limit is reached"), max_length=4, choices=Policy, default=Policy.DROP)
    per_user = models.CharField(_("limits per user"), max_length=4, choices=PerUser, default=PerUser.POOL)
    month_zone = models.CharField(_("months begin in"), max_length=6, choices=MonthZone, default=MonthZone.TENANT)
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return f"{self.tenant}"


class Account(models.Model):
    """The counters of one tenant and meter: what is reserved and used in the current month and ever, in units.

    The month is the local month in ``zone``; both are settled with the month's first reservation and stored with every
    entry. Counters only ever change together with ledger entries, in one statement, and can be rebuilt from them.

    ``entitlements`` goes up with every change of limits, seats or licences: a reservation names the number that it was
    judged by and fails against any other, so a limit that was lowered a moment ago is never overshot.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    meter = models.CharField(max_length=24, choices=Meter)
    period = models.CharField(max_length=7, default="")
    zone = models.CharField(max_length=64, default="UTC")
    entitlements = models.BigIntegerField(default=1)
    entitlements_changed_at = models.DateTimeField(auto_now_add=True)
    month_reserved = models.BigIntegerField(default=0)
    month_used = models.BigIntegerField(default=0)
    life_reserved = models.BigIntegerField(default=0)
    life_used = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "meter"], name="account_once"),
            models.CheckConstraint(
                condition=models.Q(month_reserved__gte=0, month_used__gte=0, life_reserved__gte=0, life_used__gte=0),
                name="account_never_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.meter}"


class Reservation(models.Model):
    """One request for metered work: reserved before the upload, then settled or released, once (domain §4.6).

    ``record`` and ``generation`` are those of the processing record, ``subject_id`` the conversation. ``at`` is the
    instant of the reservation; ``period`` and ``day`` are its month and day in ``zone``, never recomputed (R15).
    """

    class State(models.TextChoices):
        """open → settled | released."""

        OPEN = "open", _("Reserved")
        SETTLED = "settled", _("Charged")
        RELEASED = "released", _("Released")

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.CharField(max_length=24, choices=Meter)
    record = models.BigIntegerField()
    generation = models.PositiveIntegerField()
    subject_id = models.UUIDField()
    user_id = models.UUIDField(default=NOBODY)
    engine = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=35, blank=True)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    trace = models.JSONField(default=list)
    at = models.DateTimeField()
    period = models.CharField(max_length=7)
    day = models.DateField()
    zone = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "record", "generation", "meter"], name="reservation_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="reservation_positive"),
        ]
        indexes = [
            models.Index(fields=["tenant", "meter", "user_id", "period"], name="reservation_by_user"),
            models.Index(fields=["record"], condition=models.Q(state="open"), name="reservation_open"),
            models.Index(fields=["subject_id"], name="reservation_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.record}.{self.generation} {self.state}"


class Entry(models.Model):
    """One line of the ledger: an amount that went from one place to another. Rows are never changed (trigger).

    Double entry: every line is taken from ``source`` and given to ``target``, so the sum over all places is zero. What
    is ``used`` is charged.
    """

    class Place(models.TextChoices):
        """Where units are."""

        FREE = "free", _("Free")
        RESERVED = "reserved", _("Reserved")
        USED = "used", _("Used")

    class Step(models.TextChoices):
        """Reserve: free → reserved. Settle: reserved → used. Release: reserved → free."""

        RESERVE = "reserve", _("Reserved")
        SETTLE = "settle", _("Charged")
        RELEASE = "release", _("Released")

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.CharField(max_length=24, choices=Meter)
    step = models.CharField(max_length=8, choices=Step)
    source = models.CharField(max_length=8, choices=Place)
    target = models.CharField(max_length=8, choices=Place)
    amount = models.BigIntegerField()
    record = models.BigIntegerField()
    generation = models.PositiveIntegerField()
    subject_id = models.UUIDField()
    user_id = models.UUIDField(default=NOBODY)
    engine = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=35, blank=True)
    period = models.CharField(max_length=7)
    day = models.DateField()
    zone = models.CharField(max_length=64)
    reserved_at = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "record", "generation", "meter", "step"], name="ledger_entry_once"
            ),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="ledger_entry_positive"),
        ]
        indexes = [
            models.Index(fields=["tenant", "meter", "period", "id"], name="ledger_entry_by_period"),
            # What one engine was charged with in some time is summed from the index alone.
            models.Index(
                fields=["engine", "at"],
                include=["amount", "tenant", "meter"],
                condition=models.Q(step="settle"),
                name="ledger_entry_by_engine",
            ),
        ]
        verbose_name_plural = "ledger entries"

    def __str__(self) -> str:
        return f"{self.record}.{self.generation} {self.step} {self.amount}"


class Denial(models.Model):
    """A request that a gate refused, counted once for each record and generation (security R16)."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.CharField(max_length=24, choices=Meter)
    record = models.BigIntegerField()
    generation = models.PositiveIntegerField()
    subject_id = models.UUIDField()
    user_id = models.UUIDField(default=NOBODY)
    engine = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=35, blank=True)
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=40)
    trace = models.JSONField(default=list)
    at = models.DateTimeField()
    period = models.CharField(max_length=7)
    day = models.DateField()
    zone = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "record", "generation", "meter"], name="denial_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "meter", "day"], name="denial_by_day"),
            models.Index(fields=["subject_id"], name="denial_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.record}.{self.generation} {self.reason}"


class DailyUsage(models.Model):
    """What was charged and denied on one local day, by user, engine and language. Rebuilt from entries when needed."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.CharField(max_length=24, choices=Meter)
    period = models.CharField(max_length=7)
    day = models.DateField()
    user_id = models.UUIDField(default=NOBODY)
    engine = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=35, blank=True)
    used = models.BigIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)
    denied = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "meter", "period", "day", "user_id", "engine", "language"], name="daily_usage_once"
            ),
            models.CheckConstraint(condition=models.Q(used__gte=0), name="daily_usage_never_negative"),
        ]
        indexes = [models.Index(fields=["meter", "period"], name="daily_usage_by_period")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.day}"


class LimitAlert(models.Model):
    """A warning that was given: once for each tenant, meter, month, limit and threshold, as long as it stands.

    ``claimed_at``: a worker was about to send it then.
    """

    class Kind(models.TextChoices):
        """Shares of a limit, or the forecast."""

        HALF = "50", "50 %"
        EIGHTY = "80", "80 %"
        NINETY_FIVE = "95", "95 %"
        FULL = "100", "100 %"
        FORECAST = "forecast", _("will run out before the reset")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="limit_alerts")
    meter = models.CharField(max_length=24, choices=Meter)
    period = models.CharField(max_length=7)
    limit = models.CharField(max_length=24)
    kind = models.CharField(max_length=8, choices=Kind)
    used = models.BigIntegerField()
    allowed = models.BigIntegerField()
    at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "meter", "period", "limit", "kind"], name="limit_alert_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.period} {self.kind}"


class Reconciliation(models.Model):
    """One comparison of counters, reservations and daily usage with the entries; nightly (security R14).

    ``found`` counts the differences, ``differences`` keeps the first hundred of them.
    """

    at = models.DateTimeField(_("time"), auto_now_add=True)
    entries = models.BigIntegerField(_("entries"))
    found = models.PositiveIntegerField(_("differences"))
    seconds = models.FloatField(_("seconds"))
    differences: Any = models.JSONField(default=list)

    class Meta:
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {self.found}"

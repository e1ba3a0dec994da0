"""Rules, and what they found."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from jobs.models import JobDefinition
from tenants.models import Tenant
from transcription.models import SpeechEngine


class Measure(models.TextChoices):
    """What a rule watches. All but ``WORKERS`` are wrong from the threshold on; that one is wrong below it."""

    LAG = "lag", _("Lag of live work, 95th percentile (seconds)")
    FAILURES = "failures", _("Failure rate (percent)")
    DEAD_LETTERS = "dead_letters", _("Failed records in an hour")
    QUEUE_AGE = "queue_age", _("Age of the oldest pending item (seconds)")
    QUEUE_UNREAD = "queue_unread", _("Items in a queue that no enabled job reads")
    ENGINE = "engine", _("Engine paused, or failing: its circuit breaker is open")
    WORKERS = "workers", _("Workers alive, fewer than")
    LIMIT = "limit", _("Service limit of a tenant used (percent)")
    TRANSACTION = "transaction", _("Oldest open transaction (seconds)")
    AI_EXECUTIONS = "ai_executions", _("AI executions of one conversation in an hour")
    AI_TOKENS = "ai_tokens", _("Tokens per AI execution, average of an hour")
    AI_REPEATS = "ai_repeats", _("AI requests that were repeated or repaired in an hour (percent)")
    AI_BUDGET = "ai_budget", _("AI budget used (percent)")


class AlertRule(models.Model):
    """Fires when ``measure`` reaches ``threshold`` and stays there for ``minutes``; of all, or of one scope.

    While it is snoozed, firings are recorded and nobody is told.
    """

    name = models.CharField(_("name"), max_length=120, unique=True)
    measure = models.CharField(_("watches"), max_length=16, choices=Measure)
    enabled = models.BooleanField(_("enable"), default=True)
    threshold = models.FloatField(_("threshold"))
    minutes = models.PositiveSmallIntegerField(_("for"), default=5, help_text=_("minutes"))
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("tenant"))
    job = models.ForeignKey(JobDefinition, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("job"))
    engine = models.ForeignKey(SpeechEngine, on_delete=models.CASCADE, null=True, blank=True, verbose_name=_("engine"))
    recipients = ArrayField(models.EmailField(max_length=254), default=list, blank=True, verbose_name=_("e-mail to"))
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True, editable=False)
    snoozed_by = models.CharField(max_length=200, blank=True, editable=False)
    test_asked_at = models.DateTimeField(null=True, editable=False)
    test_result = models.CharField(_("last test"), max_length=200, blank=True, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Firing(models.Model):
    """One time that a rule found ``subject`` (a queue, an engine, a limit, or everything) wrong.

    pending → firing → resolved; what was wrong too shortly is deleted, as if it had never been.
    """

    class State(models.TextChoices):
        """Wrong for less than the minutes of the rule, wrong for so long, in order again."""

        PENDING = "pending", _("Pending")
        FIRING = "firing", _("Firing")
        RESOLVED = "resolved", _("Resolved")

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="firings", verbose_name=_("rule"))
    subject = models.CharField(max_length=120, blank=True)
    text = models.CharField(_("what was found"), max_length=300)
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.PENDING)
    value = models.FloatField(_("value"))
    threshold = models.FloatField(_("threshold"))
    since = models.DateTimeField(_("since"))
    fired_at = models.DateTimeField(_("fired"), null=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True)
    snoozed_by = models.CharField(_("snoozed by"), max_length=200, blank=True)
    claimed_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(_("e-mail sent"), null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=~models.Q(state="resolved"), name="firing_open_once"
            )
        ]
        indexes = [models.Index(fields=["state", "-id"], name="firing_list")]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.state}"

"""Circuit breakers: one for each engine, of whatever kind."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Circuit(models.Model):
    """How the calls to one engine go, over the whole cluster; no row as long as none has ever failed.

    ``key`` names the engine, as its kind says it (``transcription:7``). ``fence`` grows with every move, and every move
    names the one it saw.
    """

    class State(models.TextChoices):
        """closed → open → probing → closed or open."""

        CLOSED = "closed", _("Closed")
        OPEN = "open", _("Open")
        PROBING = "probing", _("Probing")

    key = models.CharField(max_length=80, primary_key=True)
    state = models.CharField(_("status"), max_length=10, choices=State, default=State.CLOSED)
    fence = models.PositiveBigIntegerField(default=0)
    window_began = models.DateTimeField()
    calls = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(_("open since"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    tries = models.PositiveIntegerField(_("failed probes"), default=0)
    probe_at = models.DateTimeField(_("next probe"), null=True)
    # The lease of the probe: a worker that dies over it must not keep the circuit open for ever.
    probe_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.key} {self.state}"

    @property
    def is_open(self) -> bool:
        """True while work waits."""
        return self.state != self.State.CLOSED

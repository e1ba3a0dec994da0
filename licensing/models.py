"""Licences that users hold. Seats, service limits and the ledger join them here."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User


class Bundle(models.TextChoices):
    """The five licence check boxes of the guide (domain L9)."""

    CALL_RECORDING = "call_recording", _("Call recording")
    SCREEN_RECORDING = "screen_recording", _("Screen recording")
    LIVE_MONITORING = "live_monitoring", _("Live monitoring")
    AGENT_EVALUATION = "agent_evaluation", _("Agent evaluation")
    SPEECH_ANALYTICS = "speech_analytics", _("Speech analytics")


class UserLicence(models.Model):
    """One licence of one user."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="licences", verbose_name=_("user"))
    bundle = models.CharField(_("licence"), max_length=20, choices=Bundle)
    granted_at = models.DateTimeField(_("granted"), auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "bundle"], name="user_licence_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_bundle_display()}"

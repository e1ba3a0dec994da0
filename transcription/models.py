"""Speech engines and their connection tests."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from engines.models import ConfiguredEngine, ConnectionTest, PriceRow, Visibility
from transcription.family import SPEECH

__all__ = ["EngineTest", "SpeechEngine", "SpeechPrice", "Visibility"]


class SpeechEngine(ConfiguredEngine):
    """A configured speech engine (domain T8, T9)."""

    family = SPEECH


class EngineTest(ConnectionTest):
    """One run of Test Connection (domain T10), with the recognised text."""

    engine = models.ForeignKey(SpeechEngine, on_delete=models.CASCADE, related_name="tests", verbose_name=_("engine"))
    transcription = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]


class SpeechPrice(PriceRow):
    """What a minute of audio costs from a day on."""

    told = ("valid_from", "currency", "per_minute")

    engine = models.ForeignKey(SpeechEngine, on_delete=models.CASCADE, related_name="prices", verbose_name=_("engine"))
    per_minute = models.DecimalField(
        _("price per minute"), max_digits=14, decimal_places=6, validators=[MinValueValidator(0)]
    )

    class Meta:
        ordering = ["-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["engine", "valid_from"], name="transcription_one_price_a_day"),
            models.CheckConstraint(condition=models.Q(per_minute__gte=0), name="transcription_price_not_negative"),
        ]


# At the end, so that all models of the app are known by the module Django loads.
from transcription.languages import models as _languages  # noqa: E402, F401

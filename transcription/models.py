"""Speech engines and their connection tests."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from engines.models import ConfiguredEngine, ConnectionTest, Visibility
from transcription.family import SPEECH

__all__ = ["EngineTest", "SpeechEngine", "Visibility"]


class SpeechEngine(ConfiguredEngine):
    """A configured speech engine (domain T8, T9)."""

    family = SPEECH

    price_per_minute = models.DecimalField(_("price per minute"), max_digits=9, decimal_places=5, null=True, blank=True)

    def facts(self) -> dict[str, Any]:
        """With the price as text."""
        price = "" if self.price_per_minute is None else str(self.price_per_minute)
        return {**super().facts(), "price_per_minute": price}


class EngineTest(ConnectionTest):
    """One run of Test Connection (domain T10), with the recognised text."""

    engine = models.ForeignKey(SpeechEngine, on_delete=models.CASCADE, related_name="tests", verbose_name=_("engine"))
    transcription = models.TextField(blank=True)

    class Meta:
        ordering = ["-created_at"]

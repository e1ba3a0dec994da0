"""The form of a speech engine (domain T9)."""

from django import forms
from django.utils.translation import gettext_lazy as _

from engines.forms import EngineForm
from transcription.family import SPEECH


class SpeechEngineForm(EngineForm):
    """With the price of a minute."""

    family = SPEECH
    head = [*EngineForm.head, "price_per_minute"]

    price_per_minute = forms.DecimalField(
        label=_("Price per minute"),
        required=False,
        min_value=0,
        max_digits=9,
        decimal_places=5,
        help_text=_(
            "Of audio, in the currency of your contract. Estimates of backfills use it; nothing is charged by it."
        ),
    )

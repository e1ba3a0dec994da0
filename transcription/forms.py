"""The forms of a speech engine (domain T9) and of its prices."""

from django import forms
from django.utils.translation import gettext_lazy as _

from engines.forms import EngineForm, PriceForm
from transcription.family import SPEECH


class SpeechEngineForm(EngineForm):
    """Type, name, status, visibility and the settings of the type."""

    family = SPEECH


class SpeechPriceForm(PriceForm):
    """What a minute costs from a day on."""

    parts = (("", ("valid_from", "currency", "per_minute")),)

    per_minute = forms.DecimalField(
        label=_("Price per minute"),
        max_digits=14,
        decimal_places=6,
        help_text=_(
            "Of audio. Counts for what is charged after you have saved it: what was spent before keeps its price."
        ),
    )

"""The form of a language; its rules are the model's."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import EnableField, VersionedForm
from transcription.languages.models import Language
from transcription.languages.services import FIELDS


class LanguageForm(VersionedForm):
    """What senders write, what engines are asked for, and what speakers are called."""

    name = forms.CharField(
        label=_("Name"),
        max_length=60,
        help_text=_("What senders of audio write, letter by letter and in this case, for example Hebrew."),
    )
    code = forms.CharField(
        label=_("Language tag"),
        max_length=20,
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false", "autocapitalize": "none"}),
        help_text=_("BCP 47: what engines are asked for, for example he-IL."),
    )
    speaker_word = forms.CharField(
        label=_("Word for “speaker”"),
        max_length=40,
        initial="Speaker",
        widget=forms.TextInput(attrs={"dir": "auto"}),
        help_text=_("In the language itself: speakers of transcripts are called by it and a number."),
    )
    enabled = EnableField(help_text=_("Only enabled languages can be named in new tasks."))

    def values(self) -> dict[str, Any]:
        """What the service stores."""
        return {name: self.cleaned_data[name] for name in FIELDS}


def initial_of(language: Language) -> dict[str, Any]:
    """The stored values."""
    return {name: getattr(language, name) for name in (*FIELDS, "version")}

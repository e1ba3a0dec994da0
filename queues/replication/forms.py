"""Forms of the pairing page; what may stand in them is judged by the services."""

from django import forms
from django.utils.translation import gettext_lazy as _

from core.forms import VersionedForm

LTR = {"dir": "ltr", "autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


class PairingForm(VersionedForm):
    """Our name, and the other side's address and public key. ``version`` 0: there was no pairing."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    own_name = forms.CharField(
        label=_("Name of this installation"),
        max_length=80,
        help_text=_("The other installation shows it beside the queues that it receives."),
    )
    address = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=forms.TextInput(attrs={**LTR, "placeholder": "https://parlance.example"}),
        help_text=_("Where the other installation is reached. Inside addresses must be listed in Allowed Addresses."),
    )
    public_key = forms.CharField(
        label=_("Public key"),
        max_length=200,
        widget=forms.TextInput(attrs={**LTR, "class": "form-control p-mono"}),
        help_text=_("Paste what the pairing page of the other installation shows; it begins with ed25519:"),
    )
    sections = [
        (_("This installation"), ["own_name"]),
        (_("The other installation"), ["address", "public_key"]),
    ]


class FingerprintForm(VersionedForm):
    """That somebody compared."""

    same = forms.BooleanField(label=_("I have compared the fingerprints: they are the same."))
    sections = [("", ["same"])]


class RenameForm(forms.Form):
    """The name under which theirs is stored here."""

    name = forms.CharField(label=_("Name"), max_length=120)

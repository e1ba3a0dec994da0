"""The form of an allowed address."""

from django import forms
from django.utils.translation import gettext_lazy as _


class AllowedAddressForm(forms.Form):
    """Network, port and a note; which networks may be listed is judged by the service."""

    cidr = forms.CharField(
        label=_("Network"),
        max_length=50,
        help_text=_("An address or network in CIDR form, for example 10.1.2.3/32."),
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false"}),
    )
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

"""The form of an allowed address."""

import ipaddress

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class AllowedAddressForm(forms.Form):
    """Network, port and a note."""

    cidr = forms.CharField(
        label=_("Network"),
        max_length=50,
        help_text=_("An address or network in CIDR form, for example 10.1.2.3/32."),
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false"}),
    )
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535)
    note = forms.CharField(label=_("Note"), max_length=200, required=False)

    def clean_cidr(self) -> str:
        """A network; what the outbound guard refuses even when listed is refused here already (hostile 3G1)."""
        text: str = self.cleaned_data["cidr"]
        try:
            network = ipaddress.ip_network(text, strict=True)
        except ValueError:
            raise ValidationError(_("This is no network in CIDR form, for example 10.1.2.3/32.")) from None
        if network.is_link_local or network.is_multicast or network.is_unspecified:
            raise ValidationError(_("Link-local, multicast and unspecified addresses are never allowed."))
        return str(network)

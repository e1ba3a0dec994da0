"""The tab License Limits and the questions of the seat explainer."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.forms import VersionedForm
from licensing.models import MAX_SEATS, Bundle

WHOLE = re.compile(r"[0-9]{1,9}\Z")


class SeatsField(forms.CharField):
    """A whole number of seats in ASCII digits; blank is unlimited. "1e12", "1.5", "−1" and "∞" are refused (3F4)."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "numeric", "dir": "ltr", "autocomplete": "off"}
        super().__init__(**{"required": False, "max_length": 20, "widget": forms.TextInput(attrs=attrs), **kwargs})

    def clean(self, value: Any) -> Any:
        """The number, or None."""
        text = str(super().clean(value) if not isinstance(value, int) else value)
        if text in ("", "None"):
            return None
        if not WHOLE.match(text) or int(text) > MAX_SEATS:
            raise ValidationError(
                _("Enter a whole number from 0 to %(limit)s, or nothing for unlimited.") % {"limit": f"{MAX_SEATS:,}"}
            )
        return int(text)


class SeatLimitsForm(VersionedForm):
    """The five fields, named like their bundles; ``seen_…`` carry what the person saw."""

    def __init__(self, *args: Any, holders: dict[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["version"]
        for bundle in Bundle:
            help_text = _("Seats. Blank: unlimited. Held by %(n)s enabled users.") % {
                "n": f"{holders.get(bundle, 0):,}"
            }
            self.fields[bundle.value] = SeatsField(label=bundle.label, help_text=help_text)
            self.fields[f"seen_{bundle.value}"] = SeatsField(widget=forms.HiddenInput)
        self.sections = [("", list(Bundle.values))]

    def seats(self) -> dict[str, int | None]:
        """What is to be stored."""
        return {code: self.cleaned_data[code] for code in Bundle.values}

    def seen(self) -> dict[str, int | None]:
        """What was shown."""
        return {code: self.cleaned_data[f"seen_{code}"] for code in Bundle.values}


class WhatIfForm(forms.Form):
    """The questions of the seat explainer, in the address."""

    bundle = forms.ChoiceField(label=gettext_lazy("Licence"), choices=Bundle.choices)
    seats = SeatsField(label=gettext_lazy("If the limit were"), help_text=gettext_lazy("Blank: as it is."))
    add = forms.CharField(
        label=gettext_lazy("If I add the user"),
        required=False,
        max_length=150,
        help_text=gettext_lazy("A user name, also of somebody who does not exist yet."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "autocapitalize": "none"}),
    )
    find = forms.CharField(
        label=gettext_lazy("Find the user"),
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "autocapitalize": "none"}),
    )

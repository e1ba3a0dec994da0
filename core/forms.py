"""Form fields that several apps use."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class EnableCheckbox(forms.CheckboxInput):
    """The guide's "Status [Enable]": the label stands as the legend, the box says Enable."""

    template_name = "core/enable_checkbox.html"
    use_fieldset = True


class EnableField(forms.BooleanField):
    """Status of an object that can be switched off."""

    widget = EnableCheckbox

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "initial": True, "label": _("Status"), **kwargs})


class WholeNumberField(forms.IntegerField):
    """A whole number in the digits 0 to 9: those of other scripts, and "1_000", are refused (3F4)."""

    WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")

    def to_python(self, value: Any) -> int | None:
        """The number, or None for an empty field."""
        if isinstance(value, str) and value not in self.empty_values and not self.WHOLE.fullmatch(value):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        number: int | None = super().to_python(value)
        return number


class VersionedForm(forms.Form):
    """A form on an object with optimistic concurrency: ``version`` is what the person saw (hostile 3F7).

    ``sections`` groups the fields on the page: (label or "", field names); ``folded`` are further ones that are folded,
    and ``advanced`` names the last of these;
    ``aliases`` maps what a service calls a field to the form's name for it.
    """

    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    sections: list[tuple[str | Promise, list[str]]] = []
    folded: list[tuple[str | Promise, list[str]]] = []
    advanced: list[str] = []
    aliases: dict[str, str] = {}

    def groups(self) -> list[dict[str, Any]]:
        """What the template draws: label, bound fields, whether it is folded, and opened because of an error."""
        named = [(label, names, False) for label, names in self.sections]
        named += [(label, names, True) for label, names in self.folded]
        if self.advanced:
            named.append((str(_("Advanced")), self.advanced, True))
        return [
            {
                "label": label,
                "fields": [self[name] for name in names],
                "folded": folded,
                "open": any(name in self.errors for name in names) if self.is_bound else False,
            }
            for label, names, folded in named
        ]

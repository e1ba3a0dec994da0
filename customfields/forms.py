"""The form of a custom field; rules over several fields are the service's."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from core.forms import EnableField, VersionedForm, WholeNumberField
from customfields.definitions import MAX_PLACES
from customfields.models import Attribute, CustomField, Tone, Type
from customfields.services import FIELDS
from customfields.typed import MAX_LONG_TEXT
from customfields.wording import settings_lines
from tenants.models import Tenant
from tenants.selectors import visible_tenants


class LinesField(forms.CharField):
    """Lines of up to ``parts`` texts between bars; the value is a list of lists."""

    def __init__(self, *, parts: int, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 6, "spellcheck": "false"})
        super().__init__(**{"required": False, "max_length": 50_000, "widget": widget, **kwargs})
        self.parts = parts

    def clean(self, value: Any) -> list[list[str]]:
        """The rows, blank lines left out; a line of too many parts is named."""
        rows = []
        for number, line in enumerate(str(super().clean(value)).splitlines(), start=1):
            row = [part.strip() for part in line.split("|")]
            if not any(row):
                continue
            if len(row) > self.parts:
                text = _("Line %(number)s has more than %(parts)s parts.")
                raise ValidationError(text, params={"number": number, "parts": self.parts})
            rows.append(row)
        return rows


class FieldForm(VersionedForm):
    """What it is called, what it may hold, where it is shown, who may see and edit it."""

    name = forms.CharField(label=_("Name"), max_length=64)
    key = forms.CharField(
        label=_("Key"),
        max_length=64,
        widget=forms.TextInput(attrs={"dir": "ltr", "spellcheck": "false", "autocapitalize": "none"}),
        help_text=_("Names the field in tasks, files and the API: a–z, digits and _. It stays once it is in use."),
    )
    tenant = forms.ModelChoiceField(
        label=_("Scope"), queryset=Tenant.objects.none(), required=False, empty_label=_("All tenants")
    )
    description = forms.CharField(
        label=_("Description"), max_length=4096, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    type = forms.ChoiceField(
        label=_("Type"), choices=Type.choices, help_text=_("It stays once conversations have values.")
    )
    max_length = WholeNumberField(
        label=_("Most characters"),
        required=False,
        min_value=1,
        max_value=MAX_LONG_TEXT,
        help_text=_("Of texts. Blank: 1,000, and 50,000 for a long text."),
    )
    min = forms.CharField(
        label=_("Smallest value"), required=False, max_length=60, help_text=_("Of numbers and scores.")
    )
    max = forms.CharField(
        label=_("Largest value"), required=False, max_length=60, help_text=_("Of numbers and scores.")
    )
    places = WholeNumberField(
        label=_("Digits behind the point"),
        required=False,
        min_value=0,
        max_value=MAX_PLACES,
        help_text=_("Of decimal numbers and scores. Blank: none."),
    )
    choices = LinesField(
        label=_("Choices"),
        parts=2,
        help_text=_("Of choices, one a line: the value, and if it differs a bar and the label, “billing | Billing”."),
    )
    bands = LinesField(
        label=_("Bands"),
        parts=3,
        help_text=_("Of scores, one a line: from which value on, label and colour, “-100 | Very negative | red”."),
    )
    group = forms.CharField(
        label=_("Display group"), max_length=64, required=False, help_text=_("Fields of a group stand together.")
    )
    position = WholeNumberField(label=_("Order"), min_value=0, max_value=100_000, initial=100)
    attribute = forms.ChoiceField(
        label=_("Right"),
        choices=Attribute.choices,
        help_text=_("The line of the grid of rights that says who may see and edit the values."),
    )
    enabled = EnableField(help_text=_("A disabled field is not shown, searched or edited; its values stay."))
    editable = forms.BooleanField(label=_("People may edit the values"), required=False, initial=True)
    in_lists = forms.BooleanField(
        label=_("Column and filter of lists"),
        required=False,
        help_text=_("At most 20 fields of all tenants and of one."),
    )
    sections = [
        ("", ["name", "key", "tenant", "enabled", "description"]),
        (_("What it holds"), ["type", "max_length", "min", "max", "places", "choices", "bands"]),
        (_("Where it is shown"), ["group", "position", "in_lists"]),
        (_("Who may"), ["attribute", "editable"]),
    ]

    def __init__(self, *args: Any, editor: User, field: CustomField | None = None, **kwargs: Any) -> None:
        self.field = field
        super().__init__(*args, **kwargs)
        scope: Any = self.fields["tenant"]
        scope.queryset = visible_tenants(editor).order_by("name")
        if not editor.everywhere:
            scope.required, scope.empty_label, scope.initial = True, None, editor.tenant_id
        if not editor.tenant.is_system:
            scope.widget, scope.required = forms.HiddenInput(), False
            self.sections = [(label, [n for n in names if n != "tenant"]) for label, names in self.sections]
        if field is not None:
            # Whose it is stays: values and rights hang on it.
            scope.disabled, scope.required = True, False
        self.editor = editor

    def clean_bands(self) -> list[list[str]]:
        """Three parts each; colours by word or code, whatever the language of the page."""
        codes = {str(label).casefold(): value for value, label in Tone.choices} | {
            value: value for value in Tone.values
        }
        rows: list[list[str]] = self.cleaned_data["bands"]
        for row in rows:
            if len(row) != 3:
                raise ValidationError(_("A band needs three parts: from, label and colour."))
            row[2] = codes.get(row[2].casefold(), row[2])
        return rows

    def clean_choices(self) -> list[list[str]]:
        """A value without a label is its own."""
        return [row if len(row) == 2 else [row[0], row[0]] for row in self.cleaned_data["choices"]]

    def owner(self) -> Tenant | None:
        """Of a new field: the chosen tenant, that of the editor, or None for all."""
        chosen: Tenant | None = self.cleaned_data["tenant"]
        return self.editor.tenant if not self.editor.tenant.is_system else chosen

    def values(self) -> dict[str, Any]:
        """What the service stores and judges."""
        cleaned = self.cleaned_data
        typed = ("max_length", "min", "max", "places", "choices", "bands")
        return {name: cleaned[name] for name in (*FIELDS, *typed)}


def initial_of(field: CustomField) -> dict[str, Any]:
    """The stored values as the form shows them."""
    stored = {name: getattr(field, name) for name in (*FIELDS, "version", "tenant")}
    settings = {name: field.settings.get(name) for name in ("max_length", "min", "max", "places")}
    return stored | settings | settings_lines(field.definition.type, field.settings)

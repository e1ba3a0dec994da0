"""The form of one value: the input that fits its field; what it may hold is judged by ``coerce`` in the service."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from conversations.field_models import FieldValue
from customfields.models import CustomField
from customfields.typed import CHOICES, FieldType, Value, plain
from customfields.wording import range_text


def input_of(custom: CustomField) -> forms.Field:
    """An input of the type of the field. Everything may be left blank, which empties the value."""
    shared: dict[str, Any] = {
        "label": custom.name,
        "required": False,
        "help_text": " ".join(part for part in (custom.description, _hint(custom)) if part),
    }
    kind, choices = FieldType(custom.type), custom.definition.choices
    if kind == FieldType.MULTI_CHOICE:
        return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **shared)
    if kind in CHOICES:
        return forms.ChoiceField(choices=[("", "—"), *choices], **shared)
    if kind == FieldType.BOOLEAN:
        return forms.ChoiceField(choices=[("", "—"), ("true", _("yes")), ("false", _("no"))], **shared)
    widget: forms.Widget = forms.TextInput(attrs={"dir": "auto"})
    if kind == FieldType.LONG_TEXT:
        widget = forms.Textarea(attrs={"rows": 8, "dir": "auto"})
    elif kind == FieldType.DATE:
        widget = forms.DateInput(attrs={"type": "date"})
    elif kind != FieldType.TEXT:
        widget = forms.TextInput(attrs={"dir": "ltr", "inputmode": "decimal"})
    return forms.CharField(widget=widget, strip=False, **shared)


def _hint(custom: CustomField) -> str:
    text = "" if custom.definition.type in CHOICES else range_text(custom.definition)
    return f"({text})" if text else ""


def typed_in(value: Value | None) -> Any:
    """A value as the input shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return list(value)
    return "" if value is None else (value if isinstance(value, str) else _written(value))


def _written(value: Any) -> str:
    return (
        value.isoformat() if hasattr(value, "isoformat") else plain(value) if hasattr(value, "as_tuple") else str(value)
    )


class ValueForm(forms.Form):
    """``value``, and in ``seen`` the version that the person saw (hostile 3F7)."""

    seen = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, custom: CustomField, version: FieldValue | None, **kwargs: Any) -> None:
        initial = {"seen": version.pk if version is not None else 0}
        if version is not None:
            initial["value"] = typed_in(version.value(custom))
        super().__init__(*args, **{"initial": initial, **kwargs})
        self.fields["value"] = input_of(custom)

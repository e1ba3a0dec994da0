"""Fields of the job form: durations as people write them, and a clause of the filtering criteria."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from conversations.metadata import MAX_TAG_CHARS, check_tag
from core.errors import InvalidInput
from core.filters import DayField
from jobs.filters import MAX_TEXT, UNARY, FilterField, Op, ValueType
from jobs.wording import clock

CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):([0-5]\d)|(\d{1,7}))\Z", re.ASCII)


def seconds_of(text: str) -> int:
    """Seconds of "m:ss", "h:mm:ss" or plain seconds. Raises ValueError for anything else."""
    found = CLOCK.match(text.strip())
    if found is None:
        raise ValueError(text)
    hours, minutes, seconds, plain = found.groups()
    if plain is not None:
        return int(plain)
    if hours is not None and int(minutes) > 59:
        raise ValueError(text)
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


class ClockField(forms.CharField):
    """A duration in whole seconds, written m:ss, h:mm:ss or as seconds."""

    def to_python(self, value: Any) -> Any:
        """Seconds, or None when blank."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return seconds_of(text)
        except ValueError:
            raise ValidationError(_("Write a duration as m:ss, h:mm:ss or in seconds.")) from None


class SuggestedInput(forms.TextInput):
    """A text input that offers ``suggestions``; anything else may be typed too."""

    template_name = "jobs/suggested_input.html"
    suggestions: Sequence[str] = ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With the list and its id."""
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        widget["list_id"] = f"{widget['attrs'].get('id', name)}_list"
        widget["attrs"]["list"] = widget["list_id"]
        widget["suggestions"] = self.suggestions
        return context


class OrderedChoicesWidget(forms.MultiWidget):
    """A select for each place of a list."""

    use_fieldset = True

    def __init__(self, labels: Sequence[str], choices: Sequence[tuple[str, str]]) -> None:
        super().__init__([forms.Select(attrs={"aria-label": label}, choices=choices) for label in labels])

    def decompress(self, value: Any) -> list[Any]:
        """The list itself."""
        return list(value or ())


class OrderedChoicesField(forms.MultiValueField):
    """Up to ``most`` choices in their order, each in a select of its own; the value is a list without gaps."""

    widget: OrderedChoicesWidget

    def __init__(self, *, choices: Sequence[tuple[str, str]], most: int, label: str, **kwargs: Any) -> None:
        offered = [("", "—"), *choices]
        names = [_("%(label)s: number %(n)s") % {"label": label, "n": number} for number in range(1, most + 1)]
        widget = OrderedChoicesWidget(names, offered)
        fields = [forms.ChoiceField(choices=offered, required=False) for _number in range(most)]
        super().__init__(fields=fields, widget=widget, label=label, require_all_fields=False, **kwargs)

    def compress(self, data_list: Sequence[str]) -> list[str]:
        """What was chosen."""
        return [value for value in data_list if value]


class TagField(forms.CharField):
    """An optional tag, by the rules of the tags of calls; offers those that jobs name already (domain T21)."""

    widget = SuggestedInput

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "max_length": MAX_TAG_CHARS, **kwargs})

    def clean(self, value: Any) -> str:
        """The tag, or an empty text."""
        tag: str = super().clean(value)
        if tag:
            try:
                check_tag("tag", tag)
            except InvalidInput as error:
                raise ValidationError(error.message) from None
        return tag


class ClauseWidget(forms.MultiWidget):
    """A fact that is fixed, its operator, what it is compared with, and a button that removes the clause."""

    template_name = "jobs/clause.html"
    use_fieldset = True

    def __init__(self, widgets: list[forms.Widget], field: FilterField) -> None:
        self.fact = field
        super().__init__(widgets)

    def decompress(self, value: Any) -> list[Any]:
        """The parts of a stored clause."""
        if not value:
            return [None, None, None]
        stored = value["value"] if isinstance(value["value"], list) else [value["value"], None]
        timed = self.fact.type != ValueType.NUMBER
        shown = [clock(part) if timed and isinstance(part, int) else part for part in stored]
        return [value["op"], *shown]

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """With the fact, and the number of the row for its button."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"] |= {"fact": self.fact, "row": name.rpartition("_")[2]}
        return context


class ClauseField(forms.MultiValueField):
    """One clause on a filter field of a kind; its value is fit for ``jobs.filters.validate``."""

    def __init__(self, field: FilterField, **kwargs: Any) -> None:
        self.fact = field
        operators = [(name, Op(name).label) for name in field.operators]
        value, box = self._value(_("value"))
        second, second_box = self._value(_("second value, for “Between”"))
        boxes = [forms.Select(choices=operators, attrs={"aria-label": _("operator")}), box]
        parts: list[forms.Field] = [forms.ChoiceField(choices=operators), value]
        if Op.BETWEEN in field.operators:
            boxes.append(second_box)
            parts.append(second)
        widget = ClauseWidget(boxes, field)
        kwargs.setdefault("help_text", field.hint)
        super().__init__(
            fields=parts, widget=widget, label=str(field.label), required=False, require_all_fields=False, **kwargs
        )

    def _value(self, label: str) -> tuple[forms.Field, forms.Widget]:
        """The field and the input of one value of the fact's type."""
        attrs = {"aria-label": label}
        if self.fact.type == ValueType.CHOICE:
            select = forms.Select(choices=self.fact.choices, attrs=attrs)
            return forms.ChoiceField(choices=self.fact.choices, required=False), select
        if self.fact.type == ValueType.SECONDS:
            return ClockField(required=False), forms.TextInput(attrs={**attrs, "size": "8", "dir": "ltr"})
        if self.fact.type == ValueType.NUMBER:
            number = forms.DecimalField(required=False, max_digits=26, decimal_places=6)
            return number, forms.TextInput(attrs={**attrs, "size": "8", "dir": "ltr", "inputmode": "decimal"})
        if self.fact.type == ValueType.DAY:
            return DayField(required=False), forms.DateInput(attrs={**attrs, "type": "date"}, format="%Y-%m-%d")
        text = forms.CharField(required=False, max_length=MAX_TEXT)
        return text, forms.TextInput(attrs={**attrs, "maxlength": str(MAX_TEXT)})

    def compress(self, data_list: list[Any]) -> dict[str, Any]:
        """The clause. ``Between`` needs both values, the smaller first; the others but the unary ones need one."""
        operator, first, second = [*data_list, None, None, None][:3]
        if not operator:
            raise ValidationError(_("Choose an operator."))
        clause = {"field": self.fact.name, "op": operator}
        if operator in UNARY:
            return {**clause, "value": None}
        if first in (None, ""):
            raise ValidationError(_("Give a value."))
        if operator != Op.BETWEEN:
            return {**clause, "value": _plain(first)}
        if second in (None, ""):
            raise ValidationError(_("Give both values."))
        if first > second:
            raise ValidationError(_("The smaller value comes first."))
        return {**clause, "value": [_plain(first), _plain(second)]}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value

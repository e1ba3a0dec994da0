"""Fields of the job form: durations as people write them, and one clause of the filtering criteria."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.describing import clock
from jobs.filters import FilterField

CLOCK = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):([0-5]\d)|(\d{1,7}))\Z", re.ASCII)
OPERATORS = {"is": gettext_lazy("Is"), "is_not": gettext_lazy("Is not")}


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


class ClauseWidget(forms.MultiWidget):
    """A check box that switches the clause on, and what it compares with."""

    template_name = "jobs/clause.html"
    use_fieldset = True

    def __init__(self, widgets: list[forms.Widget], between: bool) -> None:
        self.between = between
        super().__init__(widgets)

    def decompress(self, value: Any) -> list[Any]:
        """The parts of a stored clause; without one the clause is off."""
        if not value:
            return [False, None, None]
        on = value.get("on", True)
        if self.between:
            return [on, *(clock(bound) for bound in value["value"])]
        return [on, value["op"], value["value"]]


class ClauseField(forms.MultiValueField):
    """One filter field of a kind; its value is a clause for ``jobs.filters.validate``, or None when switched off."""

    def __init__(self, field: FilterField, **kwargs: Any) -> None:
        self.name = field.name
        self.between = "between" in field.operators
        use = forms.BooleanField(required=False)
        boxes: list[forms.Widget] = [forms.CheckboxInput(attrs={"aria-label": _("Use this filter")})]
        if self.between:
            parts: tuple[forms.Field, ...] = (use, ClockField(required=False), ClockField(required=False))
            for label in (_("from"), _("to")):
                boxes.append(forms.TextInput(attrs={"aria-label": label, "size": "8", "dir": "ltr"}))
            kwargs.setdefault("help_text", _("m:ss, h:mm:ss or seconds; both ends belong to it."))
        else:
            operators = [(name, OPERATORS[name]) for name in field.operators if name in OPERATORS]
            values = list(field.choices)
            parts = (
                use,
                forms.ChoiceField(choices=operators, required=False),
                forms.ChoiceField(choices=values, required=False),
            )
            boxes += [
                forms.Select(choices=operators, attrs={"aria-label": _("operator")}),
                forms.Select(choices=values, attrs={"aria-label": _("value")}),
            ]
        widget = ClauseWidget(boxes, self.between)
        super().__init__(
            fields=parts, widget=widget, label=str(field.label), required=False, require_all_fields=False, **kwargs
        )

    def compress(self, data_list: list[Any]) -> dict[str, Any] | None:
        """The clause, when switched on. Both bounds are needed, the smaller first."""
        if not data_list or not data_list[0]:
            return None
        _on, first, second = data_list
        if not self.between:
            if not first or not second:
                raise ValidationError(_("Choose an operator and a value."))
            return {"field": self.name, "op": first, "value": second}
        if first is None or second is None:
            raise ValidationError(_("Give both durations."))
        if first > second:
            raise ValidationError(_("The shorter duration comes first."))
        return {"field": self.name, "op": "between", "value": [first, second]}

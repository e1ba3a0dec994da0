"""Outputs of a task as rows of a form. What is posted becomes the JSON that people may also write by hand."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from aiassistant.engines.base import OutputType
from aiassistant.library.outputs import CHOOSING, MAX_DESCRIPTION, MAX_OUTPUTS, NUMERIC, TEXTS

NAME = "outputs"
AS_JSON = "outputs_as_json"
ROW = re.compile(r"outputs_(\d{1,2})_name\Z", re.ASCII)
NUMBERS, TRUTHS = ("minimum", "maximum", "max_length"), ("nullable", "explanation", "evidence")
TYPES: Mapping[OutputType, Any] = {
    OutputType.TEXT: _("Text"),
    OutputType.LONG_TEXT: _("Long text"),
    OutputType.INTEGER: _("Whole number"),
    OutputType.NUMBER: _("Number"),
    OutputType.SCORE: _("Score"),
    OutputType.BOOLEAN: _("Yes or no"),
    OutputType.CHOICE: _("Choice"),
    OutputType.MULTI_CHOICE: _("Several choices"),
    OutputType.DATE: _("Date"),
}


class RowForm(forms.Form):
    """One output. It is only drawn: what it means is judged with the whole task."""

    use_required_attribute = False
    name = forms.CharField(label=_("Name"), max_length=64, help_text=_("a–z, digits and _"))
    type = forms.ChoiceField(label=_("Type"), choices=list(TYPES.items()))
    field = forms.ChoiceField(label=_("Custom field"), required=False, help_text=_("Blank: the value is not stored."))
    description = forms.CharField(
        label=_("What the model is told"),
        max_length=MAX_DESCRIPTION,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )
    minimum = forms.CharField(label=_("Smallest value"), required=False, widget=forms.TextInput(attrs={"dir": "ltr"}))
    maximum = forms.CharField(label=_("Largest value"), required=False, widget=forms.TextInput(attrs={"dir": "ltr"}))
    max_length = forms.CharField(
        label=_("Most characters"), required=False, widget=forms.TextInput(attrs={"dir": "ltr"})
    )
    choices = forms.CharField(
        label=_("Choices"),
        required=False,
        help_text=_("One a line. Blank: all of the custom field."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )
    nullable = forms.BooleanField(label=_("May be left empty"), required=False)
    explanation = forms.BooleanField(label=_("With an explanation"), required=False)
    evidence = forms.BooleanField(label=_("With quotations as evidence"), required=False)
    rule = forms.CharField(
        label=_("Rule of the built-in engine"),
        required=False,
        help_text=_("As JSON; engines with a model do without."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "class": "p-mono"}),
    )

    def __init__(self, *args: Any, keys: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = str(self.initial.get("field") or "")
        gone = [] if not stored or stored in dict(keys) else [(stored, stored)]
        self.fields["field"].choices = [("", "—"), *keys, *gone]  # type: ignore[attr-defined]
        self.number = str(self.prefix).rpartition("_")[2]

    def add_prefix(self, field_name: str) -> str:
        """``outputs_3_name``."""
        return f"{self.prefix}_{field_name}"


class OutputsWidget(forms.Textarea):
    """The rows, a button that adds one, and the JSON of all of them behind a fold."""

    template_name = "aiassistant/outputs.html"
    use_fieldset = True
    keys: Sequence[tuple[str, str]] = ()

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """JSON: of the rows, unless it was written by hand."""
        if data.get(AS_JSON) or not numbers_of(data):
            return data.get(name)
        return json.dumps([made for number in numbers_of(data) if (made := _made(data, number))], ensure_ascii=False)

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Neither rows nor JSON."""
        return name not in data and not numbers_of(data)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """With a form for each output; with the JSON alone when that cannot be shown in rows."""
        outputs = _listed(value)
        # Indented for the eye, whatever way it came.
        text = json.dumps(outputs, indent=2, ensure_ascii=False) if outputs is not None else value
        context: dict[str, Any] = super().get_context(name, text, attrs)
        rows = [self._row(number, each) for number, each in enumerate(outputs or [])]
        context["widget"] |= {
            "rows": rows,
            "by_hand": outputs is None,
            "as_json": AS_JSON,
            "full": len(rows) >= MAX_OUTPUTS,
        }
        return context

    def _row(self, number: int, output: Mapping[str, Any]) -> RowForm:
        shown = {**output, "choices": "\n".join(map(str, output.get("choices") or []))}
        shown["rule"] = _written(output.get("rule"))
        return RowForm(initial=shown, prefix=f"{NAME}_{number}", keys=self.keys)


def numbers_of(data: Mapping[str, Any]) -> list[int]:
    """The numbers of the rows that were posted, in order."""
    return sorted(int(match[1]) for name in data if (match := ROW.match(name)))


def with_row(data: QueryDict) -> QueryDict:
    """What was posted with one more row, not filled in yet."""
    changed = data.copy()
    # A form that was shown without rows has the JSON of none.
    number = max(numbers_of(data), default=-1) + 1
    changed[f"{NAME}_{number}_name"] = f"output_{number + 1}"
    changed[f"{NAME}_{number}_type"] = OutputType.TEXT.value
    return changed


def without_row(data: QueryDict, number: str) -> QueryDict:
    """What was posted without the row; the last one stays as an empty list."""
    changed = data.copy()
    for name in list(changed):
        if name.startswith(f"{NAME}_{number}_"):
            del changed[name]
    if not numbers_of(changed):
        changed[NAME] = "[]"
    return changed


def _made(data: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The output of one row; empty for a row in which nothing was named. What breaks a rule is kept for who judges it."""
    said = {name: str(data.get(f"{NAME}_{number}_{name}") or "").strip() for name in RowForm.base_fields}
    if not said["name"] and not said["field"] and not said["description"]:
        return {}
    made: dict[str, Any] = {"name": said["name"], "type": said["type"]}
    made |= {name: said[name] for name in ("field", "description") if said[name]}
    made |= {name: _number(said[name]) for name in NUMBERS if said[name] and name in _settings(said["type"])}
    made |= {name: True for name in TRUTHS if said[name]}
    choices = [line.strip() for line in said["choices"].splitlines() if line.strip()]
    if choices and "choices" in _settings(said["type"]):
        made["choices"] = choices
    if said["rule"]:
        made["rule"] = _parsed(said["rule"])
    return made


def _settings(kind: str) -> frozenset[str]:
    """Which of the settings a type has: what was typed for another type before it was changed means nothing."""
    if kind in NUMERIC:
        return frozenset({"minimum", "maximum"})
    if kind in CHOOSING:
        return frozenset({"choices"})
    return frozenset({"max_length"} if kind in TEXTS else ())


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text.replace("−", "-"))
        except ValueError:
            continue
    return text


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _written(rule: Any) -> str:
    if not rule:
        return ""
    return rule if isinstance(rule, str) else json.dumps(rule, indent=1, ensure_ascii=False)


def _listed(value: Any) -> list[Any] | None:
    """The outputs of the JSON; None when they cannot be drawn as rows."""
    try:
        found = json.loads(value or "[]")
    except (ValueError, RecursionError, TypeError):
        return None
    drawable = isinstance(found, list) and len(found) <= MAX_OUTPUTS and all(isinstance(each, dict) for each in found)
    return found if drawable else None

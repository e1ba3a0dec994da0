"""Outputs of tasks: how they are stored, what they may be, and what becomes of an answer. Pure functions, no Django.

An answer is coerced in the few ways that cannot change its meaning, checked against the full schema, and by the rules
of the custom field that is to hold it (providers §6.2, steps 4 and 5). Everything else is a problem, in words for the
model that is asked to mend its answer.
"""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from aiassistant.engines.base import OutputType
from aiassistant.engines.schemas import EVIDENCE, EXPLANATION, SchemaRefused, full_schema
from aiassistant.library.definitions import Output
from customfields.typed import NUMBERS, BrokenRule, Definition, FieldType, Value, coerce, limit_of

MAX_OUTPUTS = 30
MAX_DESCRIPTION = 1000
MAX_CHOICE = 80
# Which fields can hold what: nothing is turned into text to fit.
HOLDS: Mapping[OutputType, frozenset[FieldType]] = {
    OutputType.TEXT: frozenset({FieldType.TEXT, FieldType.LONG_TEXT}),
    OutputType.LONG_TEXT: frozenset({FieldType.LONG_TEXT}),
    OutputType.INTEGER: NUMBERS,
    OutputType.NUMBER: frozenset({FieldType.DECIMAL, FieldType.SCORE}),
    OutputType.SCORE: frozenset({FieldType.DECIMAL, FieldType.SCORE}),
    OutputType.BOOLEAN: frozenset({FieldType.BOOLEAN}),
    OutputType.CHOICE: frozenset({FieldType.CHOICE, FieldType.MULTI_CHOICE}),
    OutputType.MULTI_CHOICE: frozenset({FieldType.MULTI_CHOICE}),
    OutputType.DATE: frozenset({FieldType.DATE}),
}
TEXTS = frozenset({OutputType.TEXT, OutputType.LONG_TEXT})
NUMERIC = frozenset({OutputType.INTEGER, OutputType.NUMBER, OutputType.SCORE})
FRACTIONS = frozenset({FieldType.DECIMAL, FieldType.SCORE})
# Measured and not counted: 66.7 where a field holds whole numbers is 67. An integer that is none stays a problem.
ROUNDED = frozenset({OutputType.NUMBER, OutputType.SCORE})
MAX_ROUNDED = 1e15
CHOOSING = frozenset({OutputType.CHOICE, OutputType.MULTI_CHOICE})
_SETTINGS = ("description", "minimum", "maximum", "max_length", "nullable", "explanation", "evidence", "rule")


class Problem(StrEnum):
    """What can be wrong with outputs when a task is saved."""

    NOT_A_LIST = "Outputs are a list of 1 to {most}."
    NOT_AN_OUTPUT = "{what}: an output has a name, a type and settings; “{unknown}” is none of these."
    TYPE = "{what}: there is no type “{type}”."
    SETTING = "{what}: “{setting}” is not valid."
    SCHEMA = "{text}"
    NO_FIELD = "{what}: there is no such custom field."
    DELETED = "{what}: the custom field “{field}” was deleted."
    TWICE = "{what}: the custom field “{field}” is filled by “{other}” already."
    CANNOT_HOLD = "{what}: the custom field “{field}” ({type}) cannot hold {output}."
    RANGE = "{what}: the custom field “{field}” holds {low} to {high}."
    BOUNDS = "{what}: the smallest value must be below the largest."
    CHOICES = "{what}: the custom field “{field}” has no choice “{choice}”."
    LENGTH = "{what}: the custom field “{field}” holds at most {most} characters."


class OutputError(ValueError):
    """``problem`` with its ``facts``; ``str`` is the English of it."""

    def __init__(self, problem: Problem, **facts: Any) -> None:
        self.problem, self.facts = problem, facts
        super().__init__(problem.format(**facts))


@dataclass(frozen=True, slots=True)
class Target:
    """A custom field that an output may fill."""

    pk: int
    definition: Definition
    deleted: bool = False


def clean_outputs(raw: Any, targets: Mapping[int, Target]) -> list[dict[str, Any]]:
    """The outputs as they are stored. What a field says about range, choices and length holds for its output too.

    Raises OutputError naming output and rule.
    """
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_OUTPUTS:
        raise OutputError(Problem.NOT_A_LIST, most=MAX_OUTPUTS)
    stored = [_clean(each, targets, at) for at, each in enumerate(raw, start=1)]
    owners: dict[int, str] = {}
    for each in stored:
        pk = each.get("field")
        if pk is None:
            continue
        if pk in owners:
            name = targets[pk].definition.name
            raise OutputError(Problem.TWICE, what=each["name"], field=name, other=owners[pk])
        owners[pk] = each["name"]
    try:
        full_schema(loaded(stored, {}))
    except SchemaRefused as error:
        raise OutputError(Problem.SCHEMA, text=error.message) from None
    return stored


def _clean(raw: Any, targets: Mapping[int, Target], at: int) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise OutputError(Problem.NOT_AN_OUTPUT, what=at, unknown=str(raw)[:40])
    what = str(raw.get("name") or at)[:40]
    unknown = set(raw) - {"name", "type", "choices", "field", *_SETTINGS}
    if unknown:
        raise OutputError(Problem.NOT_AN_OUTPUT, what=what, unknown=sorted(map(str, unknown))[0][:40])
    if raw.get("type") not in list(OutputType):
        raise OutputError(Problem.TYPE, what=what, type=str(raw.get("type"))[:40])
    made = {"name": str(raw.get("name") or ""), "type": str(raw["type"])} | _settings(raw, what)
    pk = raw.get("field")
    if pk is not None:
        if not isinstance(pk, int) or isinstance(pk, bool) or pk not in targets:
            raise OutputError(Problem.NO_FIELD, what=what)
        _fit(made, targets[pk])
        made["field"] = pk
    low, high = made.get("minimum"), made.get("maximum")
    if low is not None and high is not None and low >= high:
        raise OutputError(Problem.BOUNDS, what=what)
    return made


def _settings(raw: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Those that say something, judged one by one."""
    kind, found = OutputType(raw["type"]), {}
    judges = {
        "description": lambda v: isinstance(v, str) and len(v) <= MAX_DESCRIPTION,
        "choices": lambda v: isinstance(v, list) and all(isinstance(c, str) and 0 < len(c) <= MAX_CHOICE for c in v),
        "minimum": lambda v: _number(v) and kind in NUMERIC,
        "maximum": lambda v: _number(v) and kind in NUMERIC,
        "max_length": lambda v: type(v) is int and kind in TEXTS and 1 <= v <= limit_of(FieldType(kind)),
        "nullable": lambda v: isinstance(v, bool),
        "explanation": lambda v: isinstance(v, bool),
        "evidence": lambda v: isinstance(v, bool),
        "rule": lambda v: isinstance(v, dict),
    }
    for name, judge in judges.items():
        value = raw.get(name)
        if value is None or value is False or value in ("", [], {}):
            continue
        if not judge(value):
            raise OutputError(Problem.SETTING, what=what, setting=name)
        if name == "choices" and kind not in CHOOSING:
            raise OutputError(Problem.SETTING, what=what, setting=name)
        found[name] = value
    return found


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 10**15


def _fit(made: dict[str, Any], target: Target) -> None:
    """Make the output ask for what its field holds, or raise OutputError where it asks for more."""
    definition, what, kind = target.definition, made["name"], OutputType(made["type"])
    if target.deleted:
        raise OutputError(Problem.DELETED, what=what, field=definition.name)
    if definition.type not in HOLDS[kind]:
        facts = {"type": definition.type.value, "output": kind.value}
        raise OutputError(Problem.CANNOT_HOLD, what=what, field=definition.name, **facts)
    if kind in NUMERIC:
        _fit_range(made, definition)
    elif kind in CHOOSING:
        allowed = [choice for choice, _label in definition.choices]
        foreign = [choice for choice in made.get("choices", allowed) if choice not in allowed]
        if foreign:
            raise OutputError(Problem.CHOICES, what=what, field=definition.name, choice=foreign[0])
        made["choices"] = made.get("choices") or allowed
    elif kind in TEXTS:
        most = definition.settings.get("max_length") or limit_of(definition.type)
        if made.get("max_length", most) > most:
            raise OutputError(Problem.LENGTH, what=what, field=definition.name, most=most)
        made["max_length"] = made.get("max_length", most)


def _fit_range(made: dict[str, Any], definition: Definition) -> None:
    for name, bound, beyond in (("minimum", definition.low, -1), ("maximum", definition.high, 1)):
        if bound is None:
            continue
        if (float(made.get(name, bound)) - float(bound)) * beyond > 0:
            low, high = (("…" if b is None else f"{b:f}") for b in (definition.low, definition.high))
            raise OutputError(Problem.RANGE, what=made["name"], field=definition.name, low=low, high=high)
        made[name] = made.get(name, int(bound) if bound == bound.to_integral_value() else float(bound))


def loaded(stored: Sequence[Mapping[str, Any]], targets: Mapping[int, Target]) -> tuple[Output, ...]:
    """The outputs of a stored version; a field that is not among ``targets``, or was deleted, holds nothing any more."""
    made = []
    for each in stored:
        target = targets.get(each.get("field") or 0)
        made.append(
            Output(
                name=each["name"],
                type=OutputType(each["type"]),
                choices=tuple(each.get("choices", ())),
                places=_places(target),
                field_id=None if target is None or target.deleted else target.pk,
                field=None if target is None or target.deleted else target.definition,
                **{name: each[name] for name in _SETTINGS if name in each},
            )
        )
    return tuple(made)


def _places(target: Target | None) -> int | None:
    """How many digits behind the point the field of an output holds; None when it says nothing about that."""
    if target is None or target.deleted or target.definition.type not in FRACTIONS:
        return None
    return int(target.definition.settings.get("places", 0))


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer: what may be stored when ``problems`` is empty. ``cut`` names outputs whose text was too long.

    ``values`` are as their custom fields hold them (of an output without a field: as the schema says).
    ``quotes`` are as the model gave them, not yet looked for in the conversation.
    """

    values: Mapping[str, Value | None] = field(default_factory=dict)
    explanations: Mapping[str, str] = field(default_factory=dict)
    quotes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    cut: frozenset[str] = frozenset()


def judge(outputs: Sequence[Output], answer: Mapping[str, Any]) -> Judged:
    """Coerce an answer and check it; problems are in English, each naming the property."""
    made = dict(answer)
    cut: set[str] = set()
    for output in outputs:
        if output.name in made:
            made[output.name], shortened = _coerced(output, made[output.name])
            cut.update({output.name} if shortened else ())
    validator = Draft202012Validator(full_schema(outputs), format_checker=FormatChecker(["date"]))
    problems = sorted(_told(error) for error in validator.iter_errors(made))
    if problems:
        return Judged(problems=tuple(problems[:20]), cut=frozenset(cut))
    values: dict[str, Value | None] = {}
    for output in outputs:
        try:
            values[output.name] = _held(output, made[output.name])
        except BrokenRule as error:
            problems.append(f"“{output.name}” {error.rule.format(**error.facts)}")
    return Judged(
        values,
        {output.name: made[output.name + EXPLANATION] for output in outputs if output.explanation},
        {output.name: tuple(made[output.name + EVIDENCE]) for output in outputs if output.evidence},
        tuple(problems),
        frozenset(cut),
    )


def _told(error: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    return f"“{path}” {error.message[:300]}" if path else str(error.message)[:300]


def _held(output: Output, value: Any) -> Value | None:
    if output.field is not None:
        return coerce(output.field, value)
    return tuple(value) if isinstance(value, list) else value


_INTEGER = re.compile(r"[+-]?\d{1,15}(?:\.0{1,6})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,10})?", re.ASCII)
_GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


def _coerced(output: Output, value: Any) -> tuple[Any, bool]:
    """The value after the few changes that cannot alter what it says, and whether a text was cut."""
    kind = output.type
    if kind in TEXTS and isinstance(value, str) and output.max_length is not None:
        return value[: output.max_length], len(value) > output.max_length
    if kind == OutputType.MULTI_CHOICE:
        members = [value] if isinstance(value, str) else value
        return [_choice(output.choices, each) for each in members] if isinstance(members, list) else members, False
    if isinstance(value, float) and kind == OutputType.INTEGER and value.is_integer():
        return int(value), False
    made = _of_text(output, value.strip()) if isinstance(value, str) and kind not in TEXTS else value
    return (_rounded(output, made) if kind in ROUNDED else made), False


def _rounded(output: Output, value: Any) -> Any:
    """A measured number with as many digits as its field holds. One out of range stays: rounding must not hide that."""
    if output.places is None or not isinstance(value, (int, float)) or isinstance(value, bool):
        return value
    low, high = output.minimum, output.maximum
    if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        return value
    if isinstance(value, int) or abs(value) >= MAX_ROUNDED:
        return value
    number = Decimal(str(value)).quantize(Decimal(1).scaleb(-output.places), rounding=ROUND_HALF_UP)
    return int(number) if output.places == 0 else float(number)


def _of_text(output: Output, text: str) -> Any:
    kind = output.type
    if kind == OutputType.INTEGER and _INTEGER.fullmatch(text):
        return int(text.partition(".")[0])
    if kind in NUMERIC and kind != OutputType.INTEGER and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if kind == OutputType.BOOLEAN:
        return _TRUTHS.get(text.casefold(), text)
    if kind == OutputType.CHOICE:
        return _choice(output.choices, text)
    found = _GERMAN_DAY.fullmatch(text) if kind == OutputType.DATE else None
    if found is not None:
        try:
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        except ValueError:
            return text
    return text


def _choice(choices: Collection[str], value: Any) -> Any:
    if not isinstance(value, str) or value in choices:
        return value
    wanted = value.strip().casefold()
    return next((choice for choice in choices if choice.casefold() == wanted), value)

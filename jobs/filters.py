"""Filtering criteria of jobs: pure functions over facts (domain T20, C41).

A clause is ``{"field": "call.duration", "op": "between", "value": [15, 7200]}``; a job's clauses must all be met.
Fields and operators come from the kind's allow-list; nothing else is accepted or stored. Facts are whole seconds, numbers,
texts, ISO days, or sets of texts; text is compared without regard to case, and a set meets a clause when one of its members does.
"""

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import InvalidInput
from core.outcomes import Reason
from licensing.gates import GateResult

MAX_CLAUSES = 20
MAX_TEXT = 200
MAX_SECONDS = 10**7
MAX_NUMBER = 10**20


class Op(models.TextChoices):
    """What a clause asks. ``empty`` and ``not_empty`` take no value, ``between`` two, both inclusive (domain C41)."""

    IS = "is", gettext_lazy("Is")
    IS_NOT = "is_not", gettext_lazy("Is not")
    BETWEEN = "between", gettext_lazy("Between")
    CONTAINS = "contains", gettext_lazy("Contains")
    EMPTY = "empty", gettext_lazy("Is empty")
    NOT_EMPTY = "not_empty", gettext_lazy("Is not empty")


UNARY = frozenset({Op.EMPTY.value, Op.NOT_EMPTY.value})
TEXT_OPERATORS = ("is", "is_not", "contains", "empty", "not_empty")


class ValueType(models.TextChoices):
    """How a clause's value is written: one of the field's choices, text, whole seconds, a number, or an ISO day."""

    CHOICE = "choice"
    TEXT = "text"
    SECONDS = "seconds"
    NUMBER = "number"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class FilterField:
    """One fact that a filter may ask about, with its label, its operators and the choices of its value."""

    name: str
    label: str | Promise
    operators: tuple[str, ...]
    choices: tuple[tuple[str, str | Promise], ...] = ()
    type: ValueType = ValueType.CHOICE
    hint: str | Promise = ""
    # Why no clause may ask about it any more, for example because it was deleted.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The fact of something that was deleted: no clause on it is met. ``name`` is what people called it."""

    name: str


def validate(clauses: Any, fields: Mapping[str, FilterField]) -> list[dict[str, Any]]:
    """Return the clauses in normal form. Raises InvalidInput("filters", …) naming the clause that breaks a rule."""
    if not isinstance(clauses, list) or len(clauses) > MAX_CLAUSES:
        raise InvalidInput("filters", _("Filters are a list of at most %(n)s clauses.") % {"n": MAX_CLAUSES})
    return [_validate_clause(clause, fields) for clause in clauses]


def _validate_clause(clause: Any, fields: Mapping[str, FilterField]) -> dict[str, Any]:
    if not isinstance(clause, dict) or set(clause) != {"field", "op", "value"}:
        raise InvalidInput("filters", _("A filter has a field, an operator and a value."))
    field = fields.get(str(clause["field"]))
    if field is None:
        raise InvalidInput("filters", _("There is no filter field “%(name)s”.") % {"name": clause["field"]})
    if field.problem:
        raise InvalidInput("filters", field.problem)
    operator = clause["op"]
    if operator not in field.operators:
        raise InvalidInput("filters", _("“%(name)s” has no such operator.") % {"name": field.label})
    if operator in UNARY:
        return {"field": field.name, "op": operator, "value": None}
    value = _bounds(field, clause["value"]) if operator == Op.BETWEEN else _single(field, clause["value"])
    return {"field": field.name, "op": operator, "value": value}


def _single(field: FilterField, value: Any) -> Any:
    if field.type == ValueType.TEXT:
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT or "\x00" in value:
            text = _("“%(name)s” needs a text of at most %(n)s characters.")
            raise InvalidInput("filters", text % {"name": field.label, "n": MAX_TEXT})
        return value.strip()
    if field.type == ValueType.CHOICE:
        if value not in [choice for choice, _label in field.choices]:
            raise InvalidInput("filters", _("“%(name)s” has no such value.") % {"name": field.label})
        return value
    return _measure(field, value)


def _bounds(field: FilterField, value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise InvalidInput("filters", _("“%(name)s” between needs two values.") % {"name": field.label})
    low, high = (_measure(field, bound) for bound in value)
    if low > high:
        raise InvalidInput("filters", _("“%(name)s” needs the smaller value first.") % {"name": field.label})
    return [low, high]


def _measure(field: FilterField, value: Any) -> Any:
    """Whole seconds, a number, or a day as ISO text."""
    if field.type == ValueType.NUMBER:
        fine = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_NUMBER
        if not fine:
            raise InvalidInput("filters", _("“%(name)s” needs a number.") % {"name": field.label})
        return value
    if field.type == ValueType.SECONDS:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SECONDS:
            raise InvalidInput("filters", _("“%(name)s” needs a whole number of seconds.") % {"name": field.label})
        return value
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        text = _("“%(name)s” needs a day, written as year-month-day.")
        raise InvalidInput("filters", text % {"name": field.label}) from None


def judge_filters(
    clauses: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> tuple[str | None, tuple[GateResult, ...]]:
    """Return the reason code of the first clause that the facts do not meet (None: all are met), and what each saw.

    A missing licence answers ``no_license``, as the gate would (domain C44); others ``filtered:<field>``.
    """
    trace: list[GateResult] = []
    for clause in clauses:
        name, operator = clause["field"], clause["op"]
        seen = facts.get(name)
        seen = sorted(seen) if isinstance(seen, (set, frozenset, tuple)) else seen
        if isinstance(seen, Deleted):
            met, seen = False, _("%(name)s was deleted") % {"name": seen.name}
        else:
            met = _meets(operator, clause["value"], seen)
        trace.append(GateResult(f"filter:{name}:{operator}", met, seen, clause["value"]))
        if not met:
            unlicensed = name == "user.license" and operator == Op.IS
            return (Reason.NO_LICENSE.value if unlicensed else f"{Reason.FILTERED.value}:{name}"), tuple(trace)
    return None, tuple(trace)


def _meets(operator: str, value: Any, fact: Any) -> bool:
    members = [member for member in (fact if isinstance(fact, list) else [fact]) if member not in (None, "")]
    if operator in UNARY:
        return bool(members) == (operator == Op.NOT_EMPTY)
    if operator == Op.BETWEEN:
        # Inclusive at both ends (domain C41); ISO days compare as the days they name.
        return any(value[0] <= member <= value[1] for member in members)
    if operator == Op.CONTAINS:
        return any(_folded(value) in _folded(member) for member in members)
    held = any(_folded(value) == _folded(member) for member in members)
    return held if operator == Op.IS else not held


def _folded(value: Any) -> str:
    return str(value).casefold()


def days_between(
    filters: Sequence[Mapping[str, Any]], day_field: str, time_zone: str
) -> tuple[datetime | None, datetime | None]:
    """The moments between which that lies what meets the clauses on ``day_field``: first inclusive, last not."""
    zone = zoneinfo.ZoneInfo(time_zone)
    low: date | None = None
    high: date | None = None
    for clause in filters:
        if clause["field"] != day_field or clause["op"] not in ("between", "is"):
            continue
        value = clause["value"]
        first, last = map(date.fromisoformat, value if clause["op"] == "between" else (value, value))
        low = first if low is None else max(low, first)
        high = last if high is None else min(high, last)
    start = None if low is None else datetime.combine(low, time(), zone)
    # The year 9999 has no day behind its last one.
    end = None if high is None or high == date.max else datetime.combine(high + timedelta(days=1), time(), zone)
    return start, end

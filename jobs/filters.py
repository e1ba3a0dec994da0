"""Filtering criteria of jobs: pure functions over facts (domain T20, C41).

A clause is ``{"field": "call.duration", "op": "between", "value": [15, 7200]}``. Fields and operators come from the
kind's allow-list; nothing else is accepted or stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from core.errors import InvalidInput
from core.outcomes import Reason
from licensing.gates import GateResult


@dataclass(frozen=True, slots=True)
class FilterField:
    """One fact that a filter may ask about, with its label, its operators and the choices of its value."""

    name: str
    label: str | Promise
    operators: tuple[str, ...]
    choices: tuple[tuple[str, str | Promise], ...] = ()


def validate(clauses: Any, fields: Mapping[str, FilterField]) -> list[dict[str, Any]]:
    """Return the clauses in normal form. Raises InvalidInput("filters", …) naming the clause that breaks a rule."""
    if not isinstance(clauses, list) or len(clauses) > 20:
        raise InvalidInput("filters", _("Filters are a list of at most 20 clauses."))
    return [_validate_clause(clause, fields) for clause in clauses]


def _validate_clause(clause: Any, fields: Mapping[str, FilterField]) -> dict[str, Any]:
    if not isinstance(clause, dict) or set(clause) != {"field", "op", "value"}:
        raise InvalidInput("filters", _("A filter has a field, an operator and a value."))
    field = fields.get(str(clause["field"]))
    if field is None:
        raise InvalidInput("filters", _("There is no filter field “%(name)s”.") % {"name": clause["field"]})
    if clause["op"] not in field.operators:
        raise InvalidInput("filters", _("“%(name)s” has no such operator.") % {"name": field.label})
    value = clause["value"]
    if clause["op"] == "between":
        value = _bounds(field, value)
    elif value not in {choice for choice, _label in field.choices}:
        raise InvalidInput("filters", _("“%(name)s” has no such value.") % {"name": field.label})
    return {"field": field.name, "op": clause["op"], "value": value}


def _bounds(field: FilterField, value: Any) -> list[int]:
    well_formed = (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(bound, int) and not isinstance(bound, bool) and 0 <= bound <= 10**7 for bound in value)
    )
    if not well_formed or value[0] > value[1]:
        raise InvalidInput(
            "filters", _("“%(name)s” needs two whole numbers of seconds, the smaller first.") % {"name": field.label}
        )
    return value


def judge_filters(
    clauses: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]
) -> tuple[str | None, tuple[GateResult, ...]]:
    """Return the reason code of the first clause that the facts do not meet (None: all are met), and what each saw.

    The licence clause answers ``no_license``, as the gate would (domain C44); others ``filtered:<field>``.
    """
    trace: list[GateResult] = []
    for clause in clauses:
        seen = facts.get(clause["field"])
        seen = sorted(seen) if isinstance(seen, (set, frozenset)) else seen
        met = _meets(clause, facts)
        trace.append(GateResult(f"filter:{clause['field']}:{clause['op']}", met, seen, clause["value"]))
        if not met:
            code = f"{Reason.FILTERED.value}:{clause['field']}"
            return (Reason.NO_LICENSE.value if clause["field"] == "user.license" else code), tuple(trace)
    return None, tuple(trace)


def _meets(clause: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    fact = facts.get(clause["field"])
    if clause["op"] == "between":
        low, high = clause["value"]
        # Inclusive at both ends, in whole seconds (domain C41).
        return fact is not None and low <= int(fact) <= high
    held = clause["value"] in fact if isinstance(fact, (set, frozenset, tuple, list)) else fact == clause["value"]
    return held if clause["op"] == "is" else not held

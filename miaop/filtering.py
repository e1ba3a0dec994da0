"""The filter of the list of tasks: JSON text to a small tree, and nothing of it any further (R6.1, R6.2; hostile 3E).

Pure. The text is never handed to anything but the JSON parser; fields and operators are those of the tables below.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from miaop.strictjson import Malformed, loads
from miaop.times import moment_of

MAX_BYTES, MAX_DEPTH, MAX_CONDITIONS, MAX_MEMBERS, MAX_TEXT = 8192, 5, 50, 100, 500
PREFIX = "extraData."


class FilterInvalid(Exception):
    """The filter breaks a rule; the message names where and which."""


class Kind(StrEnum):
    """What a field holds."""

    TIME = "time"
    TRUTH = "truth"
    TEXT = "text"
    # Text that compares whatever its case.
    FOLDED = "folded"
    TEXTS = "texts"


FIELDS = {
    "taskUpdateTimeNumeric": Kind.TIME,
    "archive": Kind.TRUTH,
    "tenant": Kind.TEXT,
    "supervisor.email": Kind.FOLDED,
    "supervisor.name": Kind.TEXT,
    "taskId": Kind.TEXT,
    "taskName": Kind.TEXT,
    "taskStatus": Kind.TEXT,
    "taskType": Kind.TEXT,
    "baseLanguages": Kind.TEXTS,
}
ORDERED = frozenset({"$gt", "$gte", "$lt", "$lte"})
EQUAL = frozenset({"$eq", "$ne"})
SETS = frozenset({"$in", "$nin"})
OPERATORS = ORDERED | EQUAL | SETS | {"$exists"}
GROUPS = ("$and", "$or")
Value = datetime | bool | str


@dataclass(frozen=True, slots=True)
class Condition:
    """``field operator values``: one value, several for $in and $nin. Folded texts are in lower case."""

    field: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """All (``$and``) or any (``$or``) of the parts; all of none is true, any of none cannot be written."""

    every: bool
    parts: tuple["Condition | Group", ...]


def parse(text: str) -> Group:
    """The tree of a filter. Raises FilterInvalid."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FilterInvalid(f"The filter is longer than {MAX_BYTES} bytes.")
    try:
        found = loads(text)
    except Malformed as error:
        raise FilterInvalid(f"filter: {error}.") from None
    return _Reader().object(found, "filter", 1)


class _Reader:
    """Reads one filter and counts its conditions."""

    def __init__(self) -> None:
        self.conditions = 0

    def object(self, found: Any, where: str, depth: int) -> Group:
        if not isinstance(found, dict):
            raise FilterInvalid(f"{where}: this must be an object.")
        if depth > MAX_DEPTH:
            raise FilterInvalid(f"{where}: at most {MAX_DEPTH} levels.")
        parts: list[Condition | Group] = []
        for name, value in found.items():
            inside = f"{where}.{_shown(name)}"
            if name in GROUPS:
                parts.append(self.group(value, inside, depth, every=name == "$and"))
            else:
                parts += self.field(name, value, inside)
        return Group(True, tuple(parts))

    def group(self, found: Any, where: str, depth: int, *, every: bool) -> Group:
        if not isinstance(found, list) or not found:
            raise FilterInvalid(f"{where}: this must be an array with at least one object.")
        parts = tuple(self.object(part, f"{where}[{place}]", depth + 1) for place, part in enumerate(found))
        return Group(every, parts)

    def field(self, name: str, found: Any, where: str) -> list[Condition]:
        bare = name.removeprefix(PREFIX)
        if bare not in FIELDS:
            raise FilterInvalid(f"{where}: the field is not one of {', '.join(FIELDS)}.")
        asked = found if isinstance(found, dict) else {"$eq": found}
        if not asked:
            raise FilterInvalid(f"{where}: an operator is missing.")
        return [self.condition(bare, operator, value, where) for operator, value in asked.items()]

    def condition(self, field: str, operator: str, value: Any, where: str) -> Condition:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise FilterInvalid(f"{where}: at most {MAX_CONDITIONS} conditions.")
        if operator not in OPERATORS:
            raise FilterInvalid(f"{where}: the operator is not one of {' '.join(sorted(OPERATORS))}.")
        kind = FIELDS[field]
        if operator == "$exists":
            return Condition(field, operator, (_truth(value, where),))
        if operator in ORDERED and kind in (Kind.TRUTH, Kind.TEXTS):
            raise FilterInvalid(f"{where}: {operator} does not go with this field.")
        if operator in SETS:
            if not isinstance(value, list) or not 0 < len(value) <= MAX_MEMBERS:
                raise FilterInvalid(f"{where}: {operator} takes an array of 1 to {MAX_MEMBERS} values.")
            return Condition(field, operator, tuple(_value(kind, each, where) for each in value))
        return Condition(field, operator, (_value(kind, value, where),))


def _unstorable(char: str) -> bool:
    return char == "\x00" or "\ud800" <= char <= "\udfff"


def _shown(name: str) -> str:
    """A name as messages can repeat it: what cannot be printed, and lone surrogates cannot even be sent, as its escape."""
    text = name if name.isprintable() else ascii(name)[1:-1]
    return text[:100]


def _value(kind: Kind, value: Any, where: str) -> Value:
    if kind == Kind.TIME:
        moment = moment_of(value)
        if moment is None:
            raise FilterInvalid(f"{where}: this must be a time in seconds or milliseconds.")
        return moment
    if kind == Kind.TRUTH:
        return _truth(value, where)
    # Names may hold marks of direction, which are not printable; NUL and lone surrogates are in no stored text.
    if not isinstance(value, str) or len(value) > MAX_TEXT or any(_unstorable(char) for char in value):
        raise FilterInvalid(f"{where}: this must be a text of at most {MAX_TEXT} characters.")
    return value.casefold() if kind == Kind.FOLDED else value


def _truth(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise FilterInvalid(f"{where}: this must be true or false.")
    return value

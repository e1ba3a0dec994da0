"""The types of custom fields: values and the rules that they must meet. Pure functions, no Django.

The form, the services and what AI answers all pass ``coerce``, so a value that is stored has met the rules of its field.
A broken rule is raised as ``BrokenRule``, which names the field and the rule and can be put into words by the caller.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

MAX_TEXT = 1000
MAX_LONG_TEXT = 50_000
MAX_CHOICES = 200
# The column holds 38 digits, 10 of them behind the point.
MAX_NUMBER = Decimal(10) ** 20
MAX_DIGITS = 60
YEARS = (1000, 9999)

Value = str | int | Decimal | bool | date | tuple[str, ...]


class FieldType(StrEnum):
    """What a value is."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    SCORE = "score"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    BOOLEAN = "boolean"
    DATE = "date"


TEXTS = frozenset({FieldType.TEXT, FieldType.LONG_TEXT})
NUMBERS = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.SCORE})
CHOICES = frozenset({FieldType.CHOICE, FieldType.MULTI_CHOICE})


class Rule(StrEnum):
    """What can be wrong; the English of each is what an AI is told when it is asked to mend its answer."""

    NOT_TEXT = "must be a text"
    UNSTORABLE = "has characters that cannot be stored"
    TOO_LONG = "must have at most {most} characters"
    NOT_INTEGER = "must be a whole number"
    NOT_NUMBER = "must be a number"
    TOO_BIG = "must be between {low} and {high}"
    TOO_LOW = "must be at least {low}"
    TOO_HIGH = "must be at most {high}"
    PLACES = "must have at most {places} digits behind the point"
    NOT_CHOICE = "must be one of: {choices}"
    NOT_CHOICES = "must be a list out of: {choices}"
    NOT_BOOLEAN = "must be true or false"
    NOT_DATE = "must be a day, written as year-month-day"
    # Of settings:
    NO_CHOICES = "needs at least one choice"
    MANY_CHOICES = "must have at most {most} choices"
    BAD_LABEL = "must have labels of 1 to {most} characters"
    TWICE = "names {what} twice"
    NO_RANGE = "needs a smallest and a largest value"
    RANGE = "must have its smallest value below its largest"
    MANY_BANDS = "must have at most {most} bands"
    BAND_RANGE = "has a band outside its range: {what}"
    BAND_COLOUR = "has a band of an unknown colour: {what}"


class BrokenRule(ValueError):
    """``field`` is the name of the custom field (of a setting, when settings are wrong), ``facts`` what the rule says."""

    def __init__(self, field: str, rule: Rule, **facts: Any) -> None:
        self.field, self.rule, self.facts = field, rule, facts
        super().__init__(f"{field}: {rule.format(**facts)}")


@dataclass(frozen=True, slots=True)
class Definition:
    """What is needed to judge a value. ``settings`` are those that ``clean_settings`` returned."""

    name: str
    type: FieldType
    settings: Mapping[str, Any]

    @property
    def low(self) -> Decimal | None:
        """The smallest value, or None."""
        return _stored_number(self.settings.get("min"))

    @property
    def high(self) -> Decimal | None:
        """The largest value, or None."""
        return _stored_number(self.settings.get("max"))

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Stored value and label of each choice, in their order."""
        return [(choice["value"], choice["label"]) for choice in self.settings.get("choices", ())]


@dataclass(frozen=True, slots=True)
class Band:
    """A part of a score's range, from ``start`` to the next one's: what it is called and its colour (``definitions.TONES``)."""

    start: Decimal
    label: str
    tone: str


def coerce(definition: Definition, value: Any) -> Value | None:
    """The value as the field holds it; None is "empty" (nothing, blank text, no choice).

    Takes what forms, files and AI answers give: numbers also as text in the digits 0–9, choices by value or label
    whatever their case, days as ISO text. Nothing is cut, rounded or guessed. Raises BrokenRule.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return _COERCERS[definition.type](definition, value)


def _text(definition: Definition, value: Any) -> str | None:
    if not isinstance(value, str):
        raise BrokenRule(definition.name, Rule.NOT_TEXT)
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    kept = "\n\t" if definition.type == FieldType.LONG_TEXT else ""
    if definition.type == FieldType.TEXT:
        text = re.sub(r"\s+", " ", text)
    text = text.strip()
    # Controls and lone surrogates: the database, files or spreadsheets choke on them.
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in kept for character in text):
        raise BrokenRule(definition.name, Rule.UNSTORABLE)
    most = definition.settings.get("max_length") or limit_of(definition.type)
    if len(text) > most:
        raise BrokenRule(definition.name, Rule.TOO_LONG, most=most)
    return text or None


NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?", re.ASCII)


def _number(definition: Definition, value: Any) -> Decimal:
    wrong = Rule.NOT_INTEGER if definition.type == FieldType.INTEGER else Rule.NOT_NUMBER
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise BrokenRule(definition.name, wrong)
    text = _digits(value)
    if not NUMBER.fullmatch(text):
        raise BrokenRule(definition.name, wrong)
    number = Decimal(text)
    low, high = definition.low, definition.high
    if not -MAX_NUMBER < number < MAX_NUMBER:
        raise BrokenRule(definition.name, Rule.TOO_BIG, low=_shown(low, -MAX_NUMBER), high=_shown(high, MAX_NUMBER))
    if low is not None and number < low:
        raise BrokenRule(definition.name, Rule.TOO_LOW, low=plain(low))
    if high is not None and number > high:
        raise BrokenRule(definition.name, Rule.TOO_HIGH, high=plain(high))
    return number


def _digits(value: int | float | Decimal | str) -> str:
    """The number as text; one of thousands of digits is not even written out."""
    if isinstance(value, int):
        return str(value) if value.bit_length() < 4 * MAX_DIGITS else "1e999"
    return value.strip() if isinstance(value, str) else str(value)


def _integer(definition: Definition, value: Any) -> int:
    number = _number(definition, value)
    if number != number.to_integral_value():
        raise BrokenRule(definition.name, Rule.NOT_INTEGER)
    return int(number)


def _decimal(definition: Definition, value: Any) -> Decimal:
    number = _number(definition, value)
    places = definition.settings.get("places", 0)
    if number != round(number, places):
        raise BrokenRule(definition.name, Rule.PLACES, places=places)
    return Decimal(plain(number))


def _choice(definition: Definition, value: Any) -> str:
    found = _find(definition, value)
    if found is None:
        raise BrokenRule(definition.name, Rule.NOT_CHOICE, choices=_listed(definition))
    return found


def _choices(definition: Definition, value: Any) -> tuple[str, ...] | None:
    """A list, or a text with the choices separated by semicolons; each once, in the order of the definition."""
    single = _find(definition, value)
    if single is not None:
        return (single,)
    parts = value.split(";") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple, set, frozenset)) or len(parts) > 10 * MAX_CHOICES:
        raise BrokenRule(definition.name, Rule.NOT_CHOICES, choices=_listed(definition))
    found = {_find(definition, part) for part in parts if not (isinstance(part, str) and not part.strip())}
    if None in found:
        raise BrokenRule(definition.name, Rule.NOT_CHOICES, choices=_listed(definition))
    return tuple(choice for choice, _label in definition.choices if choice in found) or None


def _find(definition: Definition, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or (isinstance(value, str) and len(value) > 1000):
        return None
    wanted = _digits(value)
    for choice, _label in definition.choices:
        if choice == wanted:
            return choice
    folded = wanted.casefold()
    for choice, label in definition.choices:
        if folded in (choice.casefold(), label.casefold()):
            return choice
    return None


def _listed(definition: Definition) -> str:
    return ", ".join(choice for choice, _label in definition.choices[:20])


TRUE, FALSE = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})


def _boolean(definition: Definition, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = _digits(value).casefold() if isinstance(value, (str, int)) else ""
    if word not in TRUE | FALSE:
        raise BrokenRule(definition.name, Rule.NOT_BOOLEAN)
    return word in TRUE


DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _date(definition: Definition, value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        day = value
    else:
        try:
            if not isinstance(value, str) or not DAY.fullmatch(value.strip()):
                raise ValueError
            day = date.fromisoformat(value.strip())
        except ValueError:
            raise BrokenRule(definition.name, Rule.NOT_DATE) from None
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise BrokenRule(definition.name, Rule.NOT_DATE)
    return day


_COERCERS = {
    FieldType.TEXT: _text,
    FieldType.LONG_TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.SCORE: _decimal,
    FieldType.CHOICE: _choice,
    FieldType.MULTI_CHOICE: _choices,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
}


@dataclass(frozen=True, slots=True)
class Columns:
    """How a value is stored, so that an index can find it: texts as text, choices as members, all else as a number.

    A day is its ordinal, a truth 0 or 1.
    """

    text: str | None = None
    number: Decimal | None = None
    members: tuple[str, ...] | None = None


def columns_of(definition: Definition, value: Value | None) -> Columns:
    """The columns of a value that ``coerce`` returned."""
    match value:
        case None:
            return Columns()
        case tuple():
            return Columns(members=value)
        case str():
            return Columns(members=(value,)) if definition.type in CHOICES else Columns(text=value)
        case date():
            return Columns(number=Decimal(value.toordinal()))
        case _:
            return Columns(number=Decimal(value))


def value_of(definition: Definition, columns: Columns) -> Value | None:
    """The value that these columns hold; what a stored value was before the settings changed, it still is."""
    if columns.members is not None:
        return columns.members if definition.type == FieldType.MULTI_CHOICE else columns.members[0]
    if columns.text is not None or columns.number is None:
        return columns.text
    if definition.type == FieldType.DATE:
        return date.fromordinal(int(columns.number))
    if definition.type == FieldType.BOOLEAN:
        return bool(columns.number)
    return int(columns.number) if definition.type == FieldType.INTEGER else Decimal(plain(columns.number))


def bare(value: Value | None) -> Any:
    """The value as JSON: days as ISO text, numbers with digits behind the point as text, several choices as a list."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else plain(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def plain(number: Decimal) -> str:
    """The shortest way to write a number without an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bands_of(definition: Definition) -> list[Band]:
    """The bands of a score, lowest first."""
    stored = definition.settings.get("bands", ())
    return [Band(Decimal(band["from"]), band["label"], band["tone"]) for band in stored]


def band_of(definition: Definition, value: Value | None) -> Band | None:
    """The band that a score lies in: the last one that starts at or below it."""
    if value is None or not isinstance(value, (int, Decimal)):
        return None
    return next((band for band in reversed(bands_of(definition)) if band.start <= value), None)


def _shown(bound: Decimal | None, otherwise: Decimal) -> str:
    return plain(otherwise if bound is None else bound)


def _stored_number(text: Any) -> Decimal | None:
    return None if text in (None, "") else Decimal(str(text))


def limit_of(kind: FieldType) -> int:
    """The most characters that a field of this type may allow."""
    return MAX_LONG_TEXT if kind == FieldType.LONG_TEXT else MAX_TEXT

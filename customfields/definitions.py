"""The settings of custom fields by type: what may be said and how it is stored. Pure functions, no Django."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from customfields.typed import (
    CHOICES,
    MAX_CHOICES,
    NUMBERS,
    TEXTS,
    BrokenRule,
    Definition,
    FieldType,
    Rule,
    coerce,
    limit_of,
    plain,
)

MAX_BANDS = 10
MAX_LABEL = 80
MAX_PLACES = 6
TONES = ("success", "info", "muted", "warning", "danger")


def clean_settings(kind: FieldType, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a field of this type as they are stored; what the type does not know is left out.

    ``raw`` has ``max_length`` of texts; ``min``, ``max`` of numbers and ``places`` of decimals and scores; ``choices``
    as (value, label) pairs; ``bands`` of scores as (from, label, tone). Raises BrokenRule with the setting as its field.
    """
    if kind in TEXTS:
        most = _setting_integer("max_length", raw.get("max_length"), 1, limit_of(kind))
        return {} if most is None else {"max_length": most}
    if kind in NUMBERS:
        return _numeric_settings(kind, raw)
    if kind in CHOICES:
        return {"choices": _clean_choices(raw.get("choices") or ())}
    return {}


def _numeric_settings(kind: FieldType, raw: Mapping[str, Any]) -> dict[str, Any]:
    places = 0 if kind == FieldType.INTEGER else _setting_integer("places", raw.get("places"), 0, MAX_PLACES) or 0
    low, high = (_bound(kind, name, raw.get(name), places) for name in ("min", "max"))
    if kind == FieldType.SCORE and (low is None or high is None):
        raise BrokenRule("min", Rule.NO_RANGE)
    if low is not None and high is not None and low >= high:
        raise BrokenRule("max", Rule.RANGE)
    found: dict[str, Any] = {} if kind == FieldType.INTEGER else {"places": places}
    found |= {name: plain(bound) for name, bound in (("min", low), ("max", high)) if bound is not None}
    if kind == FieldType.SCORE and low is not None and high is not None:
        found["bands"] = _clean_bands(raw.get("bands") or (), low, high)
    return found


def _bound(kind: FieldType, name: str, value: Any, places: int) -> Decimal | None:
    free = Definition(name, FieldType.INTEGER if kind == FieldType.INTEGER else FieldType.DECIMAL, {"places": places})
    number = coerce(free, value)
    return None if number is None else Decimal(number)  # type: ignore[arg-type]


def _setting_integer(name: str, value: Any, low: int, high: int) -> int | None:
    free = Definition(name, FieldType.INTEGER, {"min": low, "max": high})
    number = coerce(free, value)
    return None if number is None else int(number)  # type: ignore[arg-type]


def _label(name: str, value: Any) -> str:
    try:
        text = coerce(Definition(name, FieldType.TEXT, {"max_length": MAX_LABEL}), value)
    except BrokenRule as error:
        if error.rule == Rule.UNSTORABLE:
            raise
        text = None
    if not isinstance(text, str):
        raise BrokenRule(name, Rule.BAD_LABEL, most=MAX_LABEL)
    return text


def _clean_choices(pairs: Sequence[Sequence[Any]]) -> list[dict[str, str]]:
    if not pairs:
        raise BrokenRule("choices", Rule.NO_CHOICES)
    if len(pairs) > MAX_CHOICES:
        raise BrokenRule("choices", Rule.MANY_CHOICES, most=MAX_CHOICES)
    found = [{"value": _label("choices", value), "label": _label("choices", label)} for value, label in pairs]
    _refuse_twice("choices", (choice["value"] for choice in found))
    _refuse_twice("choices", (choice["label"] for choice in found))
    # A semicolon separates choices in files.
    for choice in found:
        if ";" in choice["value"] + choice["label"]:
            raise BrokenRule("choices", Rule.UNSTORABLE)
    return found


def _clean_bands(rows: Sequence[Sequence[Any]], low: Decimal, high: Decimal) -> list[dict[str, str]]:
    if len(rows) > MAX_BANDS:
        raise BrokenRule("bands", Rule.MANY_BANDS, most=MAX_BANDS)
    found = []
    for start, label, tone in rows:
        try:
            at = coerce(Definition("bands", FieldType.DECIMAL, {"places": MAX_PLACES}), start)
        except BrokenRule:
            at = None
        if not isinstance(at, Decimal) or not low <= at <= high:
            raise BrokenRule("bands", Rule.BAND_RANGE, what=str(start)[:40])
        if tone not in TONES:
            raise BrokenRule("bands", Rule.BAND_COLOUR, what=str(tone)[:40])
        found.append({"from": plain(at), "label": _label("bands", label), "tone": tone})
    _refuse_twice("bands", (band["from"] for band in found))
    return sorted(found, key=lambda band: Decimal(band["from"]))


def _refuse_twice(name: str, texts: Iterable[str]) -> None:
    seen: set[str] = set()
    for text in texts:
        folded = text.casefold()
        if folded in seen:
            raise BrokenRule(name, Rule.TWICE, what=text)
        seen.add(folded)

"""What a value of each type may be: pure, so without a database."""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from customfields.definitions import clean_settings
from customfields.typed import (
    BrokenRule,
    FieldType,
    Rule,
    band_of,
    bare,
    coerce,
    columns_of,
    value_of,
)
from customfields.wording import RULES, rule_text
from tests.customfields.making import CHOICES, SCORE, definition

GOOD = [
    ("text", {}, "  two\n words ", "two words"),
    ("text", {}, "cafe\u0301", "café"),
    ("long_text", {}, "a\r\nb\tc\n", "a\nb\tc"),
    ("integer", {}, "42", 42),
    ("integer", {}, 4.0, 4),
    ("integer", {"min": "1", "max": "5"}, 5, 5),
    ("integer", {}, "1e3", 1000),
    ("decimal", {"places": 2}, "1.50", Decimal("1.5")),
    ("decimal", {"places": 1}, 0.1, Decimal("0.1")),
    ("score", SCORE, -100, Decimal(-100)),
    ("choice", CHOICES, "billing", "billing"),
    ("choice", CHOICES, " Something ELSE ", "other"),
    ("multi_choice", CHOICES, ["other", "Billing", "billing"], ("billing", "other")),
    ("multi_choice", CHOICES, "delivery; billing", ("billing", "delivery")),
    ("multi_choice", CHOICES, "Something else", ("other",)),
    ("boolean", {}, True, True),
    ("boolean", {}, "No", False),
    ("boolean", {}, 1, True),
    ("date", {}, "2026-02-28", date(2026, 2, 28)),
    ("date", {}, date(2026, 2, 28), date(2026, 2, 28)),
]


@pytest.mark.parametrize(("kind", "settings", "given", "expected"), GOOD)
def test_a_value_is_coerced_and_comes_back_from_its_columns_as_it_went(kind, settings, given, expected):
    field = definition(kind, **settings)
    value = coerce(field, given)
    assert (value, type(value)) == (expected, type(expected))
    assert value_of(field, columns_of(field, value)) == value
    assert coerce(field, json.loads(json.dumps(bare(value)))) == value


@pytest.mark.parametrize("kind", list(FieldType))
@pytest.mark.parametrize("nothing", [None, "", " \n\t"])
def test_nothing_is_empty_in_every_type(kind, nothing):
    settings = SCORE if kind == FieldType.SCORE else CHOICES
    field = definition(kind, **settings)
    assert coerce(field, nothing) is None
    assert value_of(field, columns_of(field, None)) is None


BAD = [
    ("text", {}, 5, Rule.NOT_TEXT),
    ("text", {}, ["a"], Rule.NOT_TEXT),
    ("text", {}, "a\x00b", Rule.UNSTORABLE),
    ("long_text", {}, "a\x1bb", Rule.UNSTORABLE),
    ("long_text", {}, "\ud800", Rule.UNSTORABLE),
    ("text", {"max_length": 3}, "four", Rule.TOO_LONG),
    ("text", {}, "x" * 1001, Rule.TOO_LONG),
    ("integer", {}, 4.7, Rule.NOT_INTEGER),
    ("integer", {}, True, Rule.NOT_INTEGER),
    ("integer", {}, "٤٢", Rule.NOT_INTEGER),
    ("integer", {}, "1_000", Rule.NOT_INTEGER),
    ("integer", {}, "0x10", Rule.NOT_INTEGER),
    ("integer", {}, float("nan"), Rule.NOT_INTEGER),
    pytest.param("integer", {}, 10**5000, Rule.TOO_BIG, id="thousands of digits"),
    ("integer", {}, "1e999", Rule.TOO_BIG),
    ("integer", {"min": "1", "max": "5"}, 0, Rule.TOO_LOW),
    ("integer", {"min": "1", "max": "5"}, 6, Rule.TOO_HIGH),
    ("decimal", {}, "nan", Rule.NOT_NUMBER),
    ("decimal", {}, float("inf"), Rule.NOT_NUMBER),
    ("decimal", {"places": 1}, "0.15", Rule.PLACES),
    ("decimal", {"places": 6}, 0.1 + 0.2, Rule.PLACES),
    ("score", SCORE, 101, Rule.TOO_HIGH),
    ("choice", CHOICES, "refund", Rule.NOT_CHOICE),
    ("choice", CHOICES, ["billing"], Rule.NOT_CHOICE),
    ("choice", CHOICES, "x" * 2000, Rule.NOT_CHOICE),
    ("multi_choice", CHOICES, ["billing", "refund"], Rule.NOT_CHOICES),
    ("multi_choice", CHOICES, {"billing": 1}, Rule.NOT_CHOICES),
    ("multi_choice", CHOICES, [["billing"]], Rule.NOT_CHOICES),
    ("boolean", {}, "maybe", Rule.NOT_BOOLEAN),
    ("boolean", {}, 2, Rule.NOT_BOOLEAN),
    ("date", {}, "28.02.2026", Rule.NOT_DATE),
    ("date", {}, "2026-02-30", Rule.NOT_DATE),
    ("date", {}, "0001-01-01", Rule.NOT_DATE),
    ("date", {}, datetime(2026, 2, 28), Rule.NOT_DATE),
    ("date", {}, 20260228, Rule.NOT_DATE),
]


@pytest.mark.parametrize(("kind", "settings", "given", "rule"), BAD)
def test_a_value_that_breaks_a_rule_is_refused_with_field_and_rule(kind, settings, given, rule):
    with pytest.raises(BrokenRule) as refusal:
        coerce(definition(kind, **settings), given)
    assert refusal.value.rule == rule
    assert str(refusal.value).startswith("Field: must " if rule != Rule.UNSTORABLE else "Field: has ")
    assert "%(" not in rule_text(refusal.value)


def test_every_rule_has_words():
    assert set(RULES) == set(Rule)


def test_a_score_lies_in_the_last_band_that_starts_at_or_below_it():
    field = definition("score", **SCORE)
    labels = [band_of(field, Decimal(value)).label for value in ("-100", "-20.0", "19", "20", "100")]
    assert labels == ["Bad", "So-so", "So-so", "Good", "Good"]
    assert band_of(field, None) is None


WRONG_SETTINGS = [
    ("score", {"min": "0"}, "min", Rule.NO_RANGE),
    ("score", {"min": "5", "max": "5"}, "max", Rule.RANGE),
    ("integer", {"min": "5", "max": "1"}, "max", Rule.RANGE),
    ("integer", {"min": "1.5"}, "min", Rule.NOT_INTEGER),
    ("decimal", {"min": "abc"}, "min", Rule.NOT_NUMBER),
    ("decimal", {"places": 7}, "places", Rule.TOO_HIGH),
    ("text", {"max_length": 0}, "max_length", Rule.TOO_LOW),
    ("choice", {}, "choices", Rule.NO_CHOICES),
    ("choice", {"choices": [["a", "A"], ["A", "B"]]}, "choices", Rule.TWICE),
    ("choice", {"choices": [["a", ""]]}, "choices", Rule.BAD_LABEL),
    ("choice", {"choices": [["a;b", "A"]]}, "choices", Rule.UNSTORABLE),
    ("choice", {"choices": [[str(n), str(n)] for n in range(201)]}, "choices", Rule.MANY_CHOICES),
    ("score", {**SCORE, "bands": [["101", "Out", "danger"]]}, "bands", Rule.BAND_RANGE),
    ("score", {**SCORE, "bands": [["x", "Out", "danger"]]}, "bands", Rule.BAND_RANGE),
    ("score", {**SCORE, "bands": [["1", "In", "pink"]]}, "bands", Rule.BAND_COLOUR),
    ("score", {**SCORE, "bands": [["1", "In", "info"], ["1.0", "In", "info"]]}, "bands", Rule.TWICE),
    ("score", {**SCORE, "bands": [[str(n), "B", "info"] for n in range(11)]}, "bands", Rule.MANY_BANDS),
]


@pytest.mark.parametrize(("kind", "raw", "setting", "rule"), WRONG_SETTINGS)
def test_settings_that_break_a_rule_are_refused_with_their_name(kind, raw, setting, rule):
    with pytest.raises(BrokenRule) as refusal:
        clean_settings(FieldType(kind), raw)
    assert (refusal.value.field, refusal.value.rule) == (setting, rule)

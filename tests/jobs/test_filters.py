"""Clauses: what each operator asks of each kind of fact, and what is refused."""

import pytest

from core.errors import InvalidInput
from jobs.filters import judge_filters, validate
from transcription.facts import FILTER_FIELDS

FACTS = {
    "user.license": frozenset({"speech_analytics"}),
    "user.name": "Alan",
    "call.duration": 15,
    "call.tag": frozenset({"VIP", "billing"}),
    "call.channel": "voice",
    "call.direction": "inbound",
    "call.language": "en-US",
    "call.group": "Sales",
    "call.queue_name": "",
    "call.external_id": "call-17",
    "call.start_day": "2026-11-20",
    "call.start_weekday": "5",
}


def refused(field, operator, value, facts=FACTS):
    [clause] = validate([{"field": field, "op": operator, "value": value}], FILTER_FIELDS)
    return judge_filters([clause], facts)[0]


@pytest.mark.parametrize(
    ("field", "operator", "meets", "fails"),
    [
        ("user.name", "is", "alan", "olga"),
        ("user.name", "is_not", "olga", "ALAN"),
        ("user.name", "contains", "LA", "lo"),
        ("call.tag", "is", "vip", "vi"),
        ("call.tag", "is_not", "spam", "Billing"),
        ("call.tag", "contains", "bill", "x"),
        ("call.channel", "is", "voice", None),
        ("call.direction", "is", "inbound", "outbound"),
        ("call.direction", "is_not", "internal", "inbound"),
        ("call.language", "is", "EN-us", "de-DE"),
        ("call.language", "contains", "en", "de"),
        ("call.group", "is", "sales", "sale"),
        ("call.external_id", "contains", "-17", "18"),
        ("call.duration", "between", [15, 7200], [16, 7200]),
        ("call.duration", "between", [1, 15], [1, 14]),
        ("call.start_day", "between", ["2026-11-20", "2026-11-20"], ["2026-11-21", "2026-12-01"]),
        ("call.start_day", "is", "2026-11-20", "2026-11-19"),
        ("call.start_day", "is_not", "2026-11-19", "2026-11-20"),
        ("call.start_weekday", "is_not", "6", "5"),
        ("user.license", "is", "speech_analytics", None),
    ],
)
def test_an_operator_meets_and_fails(field, operator, meets, fails):
    assert refused(field, operator, meets) is None
    if fails is not None:
        assert refused(field, operator, fails) == f"filtered:{field}"


@pytest.mark.parametrize("field", ["user.name", "call.tag", "call.language", "call.group", "call.queue_name"])
def test_empty_and_not_empty_are_opposites(field):
    full = FACTS | {"call.queue_name": "support"}
    bare = {**FACTS, field: frozenset() if field == "call.tag" else ""}
    assert (refused(field, "empty", None, bare), refused(field, "not_empty", None, full)) == (None, None)
    assert (refused(field, "empty", None, full), refused(field, "not_empty", None, bare)) == (f"filtered:{field}",) * 2


def test_a_missing_licence_answers_as_the_gate_and_an_unwanted_one_as_a_filter():
    unlicensed = FACTS | {"user.license": frozenset()}
    assert refused("user.license", "is", "speech_analytics", unlicensed) == "no_license"
    assert refused("user.license", "is_not", "speech_analytics") == "filtered:user.license"


def test_all_clauses_must_be_met_and_the_first_that_is_not_ends_it():
    clauses = [
        {"field": "call.tag", "op": "is", "value": "VIP"},
        {"field": "call.tag", "op": "is_not", "value": "billing"},
        {"field": "call.group", "op": "is", "value": "Support"},
    ]
    reason, trace = judge_filters(validate(clauses, FILTER_FIELDS), FACTS)
    assert reason == "filtered:call.tag"
    assert [(line.gate, line.passed) for line in trace] == [
        ("filter:call.tag:is", True),
        ("filter:call.tag:is_not", False),
    ]


def test_jobs_stored_before_mean_what_they_meant():
    stored = [
        {"field": "user.license", "op": "is", "value": "speech_analytics"},
        {"field": "call.duration", "op": "between", "value": [15, 7200]},
    ]
    assert validate(stored, FILTER_FIELDS) == stored
    assert judge_filters(stored, FACTS)[0] is None
    assert judge_filters(stored, FACTS | {"call.duration": 14})[0] == "filtered:call.duration"
    assert judge_filters(stored, {"user.license": frozenset()})[0] == "no_license"


@pytest.mark.parametrize(
    ("clause", "rule"),
    [
        ({"field": "call.secret", "op": "is", "value": "x"}, "no filter field"),
        ({"field": "call.duration", "op": "contains", "value": "1"}, "no such operator"),
        ({"field": "call.duration", "op": "between", "value": [15]}, "two values"),
        ({"field": "call.duration", "op": "between", "value": [15, 3]}, "smaller value first"),
        ({"field": "call.duration", "op": "between", "value": [True, 3]}, "seconds"),
        ({"field": "call.duration", "op": "between", "value": [0, 10**9]}, "seconds"),
        ({"field": "call.direction", "op": "is", "value": "sideways"}, "no such value"),
        ({"field": "call.direction", "op": "is", "value": []}, "no such value"),
        ({"field": "call.tag", "op": "is", "value": "  "}, "text"),
        ({"field": "call.tag", "op": "is", "value": "x" * 201}, "text"),
        ({"field": "call.tag", "op": "is", "value": "a\x00"}, "text"),
        ({"field": "call.tag", "op": "is", "value": 7}, "text"),
        ({"field": "call.start_day", "op": "is", "value": "2026-02-30"}, "day"),
        ({"field": "call.start_day", "op": "is", "value": None}, "day"),
        ({"field": "call.tag", "op": "is"}, "field, an operator and a value"),
        ("call.tag", "field, an operator and a value"),
    ],
)
def test_a_clause_that_breaks_a_rule_is_named(clause, rule):
    with pytest.raises(InvalidInput, match=rule):
        validate([clause], FILTER_FIELDS)


def test_more_than_twenty_clauses_are_refused():
    clause = {"field": "call.tag", "op": "empty", "value": None}
    assert len(validate([clause] * 20, FILTER_FIELDS)) == 20
    with pytest.raises(InvalidInput, match="at most 20"):
        validate([clause] * 21, FILTER_FIELDS)

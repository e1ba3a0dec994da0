"""The filter of the list of tasks: what it understands, what it refuses, and that nothing else gets through (R6.1, R6.2)."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miaop.filtering import FIELDS, MAX_BYTES, OPERATORS, Condition, FilterInvalid, Group, parse

GUIDE = {
    "$and": [
        {"extraData.taskUpdateTimeNumeric": {"$gte": 1754006400, "$lt": 1754092800}},
        {"extraData.archive": {"$ne": True}},
        {"extraData.tenant": "my-tenant"},
        {"extraData.supervisor.email": "Admin@Example.com"},
    ]
}


def test_the_guides_sample_is_understood_in_seconds_and_in_milliseconds_alike():
    seconds = parse(json.dumps(GUIDE))
    milliseconds = parse(
        json.dumps(GUIDE).replace("1754006400", "1754006400000").replace("1754092800", "1754092800000")
    )
    assert seconds == milliseconds
    (every,) = seconds.parts
    first = every.parts[0].parts
    assert first == (
        Condition("taskUpdateTimeNumeric", "$gte", (datetime(2025, 8, 1, tzinfo=UTC),)),
        Condition("taskUpdateTimeNumeric", "$lt", (datetime(2025, 8, 2, tzinfo=UTC),)),
    )
    assert every.parts[3].parts == (Condition("supervisor.email", "$eq", ("admin@example.com",)),)


def test_nothing_asked_is_no_condition():
    assert parse("{}") == Group(True, ())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "not valid JSON"),
        ('{"$and": [{"archive": true} {"tenant": "a"}]}', "line 1, column 29"),
        ("[]", "must be an object"),
        ('{"$where": "1"}', "$where"),
        ('{"$expr": {}}', "$expr"),
        ('{"taskId": {"$regex": ".*"}}', "operator"),
        ('{"taskId": {}}', "operator is missing"),
        ('{"extraData.supervisor.password": "x"}', "supervisor.password"),
        ('{"extraData__tenant": "x"}', "extraData__tenant"),
        ('{"__class__": "x"}', "__class__"),
        ('{"extraData.extraData.tenant": "x"}', "not one of"),
        ('{"extraData.tenant\\u0000": "x"}', "not one of"),
        ('{"tenant": null}', "text"),
        ('{"tenant": {"$ne": null}}', "text"),
        ('{"tenant": ["a"]}', "text"),
        ('{"tenant": "a\\u0000"}', "text"),
        ('{"taskUpdateTimeNumeric": {"$gt": ""}}', "time"),
        ('{"taskUpdateTimeNumeric": {"$gt": 1e300}}', "time"),
        ('{"taskUpdateTimeNumeric": {"$gt": NaN}}', "NaN"),
        ('{"taskUpdateTimeNumeric": {"$gt": ' + "9" * 400 + "}}", "too large"),
        ('{"archive": {"$ne": 1}}', "true or false"),
        ('{"archive": "true"}', "true or false"),
        ('{"archive": {"$gt": true}}', "does not go"),
        ('{"taskId": {"$in": []}}', "array"),
        ('{"taskId": {"$in": "a"}}', "array"),
        ('{"$and": {}}', "array"),
        ('{"$or": []}', "array"),
        ('{"$and": [1]}', "must be an object"),
        ('{"tenant": "a", "tenant": "b"}', "twice"),
        ('{"tenant": "' + "x" * MAX_BYTES + '"}', "longer"),
        ('{"tenant": "' + "é" * (MAX_BYTES // 2) + '"}', "longer"),
        (json.dumps({"$or": [{"taskId": str(number)} for number in range(51)]}), "at most 50"),
        ('{"$and": [' * 5 + "{}" + "]}" * 5, "levels"),
        ("[" * 4000, "nested too deeply"),
    ],
)
def test_what_breaks_a_rule_is_refused_and_named(text, named):
    with pytest.raises(FilterInvalid, match=named.replace("$", r"\$").replace(".", r"\.")):
        parse(text)


def test_the_limits_themselves_are_allowed():
    parse(json.dumps({"$or": [{"taskId": str(number)} for number in range(50)]}))
    parse('{"$and": [' * 4 + "{}" + "]}" * 4)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
names = st.sampled_from([*FIELDS, *(f"extraData.{name}" for name in FIELDS), *OPERATORS, "$and", "$or"]) | st.text(
    max_size=20
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


def walk(group):
    for part in group.parts:
        if isinstance(part, Group):
            yield from walk(part)
        else:
            yield part


@given(st.dictionaries(names, trees, max_size=4))
def test_whatever_is_sent_only_known_fields_operators_and_plain_values_come_out(found):
    try:
        tree = parse(json.dumps(found))
    except FilterInvalid:
        return
    for condition in walk(tree):
        assert condition.field in FIELDS
        assert condition.operator in OPERATORS
        assert condition.values
        assert all(type(value) in (str, bool, datetime) for value in condition.values)


@given(st.text(max_size=300))
def test_any_text_is_a_tree_or_refused(text):
    try:
        found = parse(text)
    except FilterInvalid:
        return
    assert isinstance(found, Group)

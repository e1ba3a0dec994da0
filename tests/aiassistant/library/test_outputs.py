"""Outputs of tasks: what may be asked for, and what becomes of an answer."""

from decimal import Decimal

import pytest

from aiassistant.engines.base import OutputType
from aiassistant.engines.schemas import strict_schema
from aiassistant.library.outputs import OutputError, Problem, Target, clean_outputs, judge, loaded
from customfields.typed import Definition, FieldType

SCORE = Target(1, Definition("Score", FieldType.SCORE, {"min": "-100", "max": "100", "places": 1}))
MOOD = {"choices": [{"value": "good", "label": "Good"}, {"value": "bad", "label": "Bad"}]}
TARGETS = {
    1: SCORE,
    2: Target(2, Definition("Notes", FieldType.TEXT, {"max_length": 20})),
    3: Target(3, Definition("Mood", FieldType.CHOICE, MOOD)),
    4: Target(4, Definition("Gone", FieldType.TEXT, {}), deleted=True),
    5: Target(5, Definition("Topics", FieldType.MULTI_CHOICE, MOOD)),
    6: Target(6, Definition("Day", FieldType.DATE, {})),
    7: Target(7, Definition("Count", FieldType.INTEGER, {"min": "0"})),
    8: Target(8, Definition("Sure", FieldType.BOOLEAN, {})),
}


def refused(*raw):
    with pytest.raises(OutputError) as raised:
        clean_outputs(list(raw), TARGETS)
    return raised.value


def made(*raw):
    return loaded(clean_outputs(list(raw), TARGETS), TARGETS)


def test_an_output_takes_range_choices_and_length_from_its_field():
    score, notes, mood = made(
        {"name": "score", "type": "score", "field": 1},
        {"name": "notes", "type": "text", "field": 2},
        {"name": "mood", "type": "choice", "field": 3},
    )
    assert (score.minimum, score.maximum) == (-100, 100)
    assert notes.max_length == 20
    assert mood.choices == ("good", "bad")


def test_two_outputs_cannot_fill_one_field():
    error = refused({"name": "a", "type": "text", "field": 2}, {"name": "b", "type": "text", "field": 2})
    assert error.problem == Problem.TWICE
    assert str(error) == "b: the custom field “Notes” is filled by “a” already."


@pytest.mark.parametrize(
    ("output", "problem", "named"),
    [
        ({"type": "long_text", "field": 2}, Problem.CANNOT_HOLD, "Notes"),
        ({"type": "number", "field": 7}, Problem.CANNOT_HOLD, "Count"),
        ({"type": "text", "field": 4}, Problem.DELETED, "Gone"),
        ({"type": "text", "field": 99}, Problem.NO_FIELD, "a"),
        ({"type": "score", "field": 1, "maximum": 101}, Problem.RANGE, "Score"),
        ({"type": "choice", "field": 3, "choices": ["ugly"]}, Problem.CHOICES, "ugly"),
        ({"type": "text", "field": 2, "max_length": 21}, Problem.LENGTH, "20"),
        ({"type": "poem"}, Problem.TYPE, "poem"),
        ({"type": "text", "default": "x"}, Problem.NOT_AN_OUTPUT, "default"),
        ({"type": "text", "choices": ["x"]}, Problem.SETTING, "choices"),
        ({"type": "integer", "minimum": 5, "maximum": 5}, Problem.BOUNDS, "a"),
        ({"type": "choice"}, Problem.SCHEMA, "choices"),
    ],
)
def test_what_a_field_or_the_strict_schema_cannot_take_is_refused_by_name(output, problem, named):
    error = refused({"name": "a", **output})
    assert error.problem == problem
    assert named in str(error)


def test_names_of_outputs_are_those_of_the_strict_subset():
    assert refused({"name": "No good", "type": "text"}).problem == Problem.SCHEMA
    assert refused({"name": "a", "type": "text"}, {"name": "a", "type": "text"}).problem == Problem.SCHEMA
    assert refused().problem == Problem.NOT_A_LIST


@pytest.mark.parametrize(
    ("output", "given", "held"),
    [
        ({"type": "integer", "field": 7}, "4", 4),
        ({"type": "integer", "field": 7}, "4.0", 4),
        ({"type": "integer", "field": 7}, 4.0, 4),
        ({"type": "score", "field": 1}, "-12.5", -12.5),
        ({"type": "boolean", "field": 8}, "Yes", True),
        ({"type": "boolean", "field": 8}, "false", False),
        ({"type": "choice", "field": 3}, " GOOD ", "good"),
        ({"type": "multi_choice", "field": 5}, "Bad", ("bad",)),
        ({"type": "multi_choice", "field": 5}, ["BAD", "good"], ("good", "bad")),
        ({"type": "date", "field": 6}, "3.11.2026", "2026-11-03"),
        ({"type": "text", "field": 2, "nullable": True}, None, None),
    ],
)
def test_an_answer_is_coerced_only_where_its_meaning_stays(output, given, held):
    judged = judge(made({"name": "a", **output}), {"a": given})
    assert judged.problems == ()
    value = judged.values["a"]
    assert (value.isoformat() if output["type"] == "date" else value) == held


@pytest.mark.parametrize(
    ("output", "given"),
    [
        ({"type": "integer", "field": 7}, "4.5"),
        ({"type": "integer", "field": 7}, -1),
        ({"type": "integer", "field": 7}, True),
        ({"type": "integer", "field": 7}, "four"),
        ({"type": "score", "field": 1}, 100.5),
        ({"type": "boolean", "field": 8}, 1),
        ({"type": "choice", "field": 3}, "ugly"),
        ({"type": "multi_choice", "field": 5}, ["good", "good"]),
        ({"type": "date", "field": 6}, "31.2.2026"),
        ({"type": "date", "field": 6}, "soon"),
        ({"type": "text", "field": 2}, None),
        ({"type": "text", "field": 2}, {"x": 1}),
        ({"type": "text", "field": 2}, "bell \x07"),
    ],
)
def test_anything_else_is_a_problem_that_names_the_output(output, given):
    judged = judge(made({"name": "a", **output}), {"a": given})
    assert judged.values == {} or judged.problems
    assert "“a" in judged.problems[0]


def test_a_text_that_is_too_long_is_cut_and_marked():
    judged = judge(made({"name": "a", "type": "text", "field": 2}), {"a": "x" * 21})
    assert judged.values["a"] == "x" * 20
    assert judged.cut == {"a"}


def test_missing_and_foreign_properties_are_problems():
    outputs = made({"name": "a", "type": "text", "field": 2})
    assert "'a' is a required property" in judge(outputs, {}).problems[0]
    assert "'b' was unexpected" in judge(outputs, {"a": "x", "b": 1}).problems[0]


def test_explanations_and_quotes_stand_beside_their_value():
    outputs = made({"name": "a", "type": "text", "field": 2, "explanation": True, "evidence": True})
    judged = judge(outputs, {"a_explanation": "Because.", "a_evidence": ["I said so"], "a": "x"})
    assert judged.explanations == {"a": "Because."}
    assert judged.quotes == {"a": ("I said so",)}


def test_an_output_of_a_field_that_is_gone_is_asked_for_but_holds_nothing():
    stored = clean_outputs([{"name": "a", "type": "text", "field": 2}], TARGETS)
    (output,) = loaded(stored, {})
    assert output.type == OutputType.TEXT
    assert (output.field_id, output.field) == (None, None)


def score_of(places):
    settings = {"min": "-100", "max": "100", "places": places}
    target = Target(7, Definition("mood", FieldType.SCORE, settings))
    return loaded(clean_outputs([{"name": "mood", "type": "score", "field": 7}], {7: target}), {7: target})


@pytest.mark.parametrize(
    ("places", "said", "held"),
    [(0, 66.7, "67"), (0, "66.7", "67"), (0, -0.5, "-1"), (0, 5, "5"), (2, 66.705, "66.71"), (2, 66.7, "66.7")],
)
def test_a_score_is_rounded_to_the_places_of_its_field(places, said, held):
    assert judge(score_of(places), {"mood": said}).values == {"mood": Decimal(held)}


@pytest.mark.parametrize("said", [100.4, -100.2, float("nan")])
def test_rounding_never_brings_a_number_into_its_range(said):
    assert judge(score_of(0), {"mood": said}).problems


def test_a_model_is_asked_for_an_integer_where_the_field_holds_no_fraction():
    assert strict_schema(score_of(0))["properties"]["mood"]["type"] == "integer"
    assert strict_schema(score_of(1))["properties"]["mood"]["type"] == "number"

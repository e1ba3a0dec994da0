"""The language of prompts: what it says, and what it refuses."""

import pytest

from aiassistant.library.templates import Problem, TemplateError, check_system, check_user, parse, upstream_of

CALLER = "{{transcript}}\n{{#if call.queue}}Queue: {{call.queue|upper}}{{/if}}"


def test_variables_are_put_in_once_and_never_read_again_as_a_prompt():
    template = parse("Agent {{ agent.name }} said:\n{{transcript}}")
    said = template.render({"agent.name": "{{transcript}}", "transcript": "{{now}} {{#if x}}"})
    assert said == "Agent {{transcript}} said:\n{{now}} {{#if x}}"


def test_a_condition_stands_for_what_has_a_value():
    template = parse(CALLER)
    assert template.render({"transcript": "Hi", "call.queue": "sales"}) == "Hi\nQueue: SALES"
    assert template.render({"transcript": "Hi", "call.queue": "  "}) == "Hi\n"
    assert template.render({"transcript": "Hi"}) == "Hi\n"


def test_metadata_lose_control_characters_and_length_but_the_transcript_does_not():
    template = parse("{{agent.name}}|{{transcript}}")
    name, transcript = "A\x00da\n\u202eLovelace " + "x" * 600, "one\ntwo\n" + "y" * 600
    shown, whole = template.render({"agent.name": name, "transcript": transcript}).split("|")
    assert shown.startswith("A da Lovelace xxx")
    assert len(shown) == 500
    assert whole == transcript


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{transcript", Problem.OPEN),
        ("a\n{{ transcript.__class__ }}", Problem.NO_TAG),
        ("{{transcript|shout}}", Problem.FILTER),
        ("{{#if now}}x", Problem.NO_END),
        ("x{{/if}}", Problem.NO_IF),
        ("{{#for x in y}}", Problem.NO_TAG),
        ("{{#if now}}" * 7 + "{{/if}}" * 7, Problem.DEEP),
        ("{{now}}" * 301, Problem.MANY_TAGS),
        ("x" * 20_001, Problem.TOO_LONG),
        ("bell \x07", Problem.SIGNS),
    ],
)
def test_what_is_no_template_is_named(text, problem):
    with pytest.raises(TemplateError) as raised:
        parse(text)
    assert raised.value.problem == problem


def test_an_unknown_variable_is_refused_by_name_and_line():
    with pytest.raises(TemplateError, match=r"line 2: there is no variable “call\.colour”"):
        check_user("{{transcript}}\n{{call.colour}}", fields=[])
    with pytest.raises(TemplateError, match=r"custom\.mood"):
        check_user("{{transcript}} {{custom.mood}}", fields=["tone"])
    assert check_user("{{transcript}} {{custom.mood}}", fields=["mood"]).names == {"transcript", "custom.mood"}


def test_earlier_answers_are_known_by_task_and_output():
    text = "{{transcript}} {{previous.summary.text}}"
    with pytest.raises(TemplateError, match=r"previous\.summary\.text"):
        check_user(text, fields=[], previous=[("summary", "other")])
    assert upstream_of(check_user(text, fields=[], previous=[("summary", "text")])) == {"summary"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no transcript", Problem.NO_TRANSCRIPT),
        ("{{transcript}} {{transcript}}", Problem.NO_TRANSCRIPT),
        ("{{#if now}}{{transcript}}{{/if}}", Problem.CONDITIONAL),
    ],
)
def test_the_transcript_stands_in_the_request_exactly_once(text, problem):
    with pytest.raises(TemplateError) as raised:
        check_user(text, fields=[])
    assert raised.value.problem == problem


def test_what_callers_say_may_not_stand_in_the_instructions():
    assert check_system("You work for {{tenant.name}}. {{output_instructions}}").names
    for name in ("transcript", "call.from", "custom.mood", "previous.a.b"):
        with pytest.raises(TemplateError) as raised:
            check_system("{{" + name + "}}")
        assert raised.value.problem == Problem.NOT_HERE

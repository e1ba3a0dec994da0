"""How outputs tell the built-in engine what to answer with: ``Output.rule``, or a name that says it.

Skills: ``sentiment`` (score, number, integer; nullable, because only English is judged), ``summary`` (text), ``topics``
(text, or multi_choice by the words of the choices), ``language`` (text), ``phrases`` (boolean, integer as a count, choice
and multi_choice by ``choices``), ``pattern`` (boolean, integer as a count, text as the first match).
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import regex
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from aiassistant.engines.base import Output, OutputType

Skill = Literal["sentiment", "summary", "topics", "language", "phrases", "pattern"]
Phrase = Annotated[str, Field(min_length=2, max_length=200)]
NUMBERS = {OutputType.SCORE, OutputType.NUMBER, OutputType.INTEGER}
TEXTS = {OutputType.TEXT, OutputType.LONG_TEXT}
TYPES: dict[str, set[OutputType]] = {
    "sentiment": NUMBERS,
    "summary": TEXTS,
    "topics": TEXTS | {OutputType.MULTI_CHOICE},
    "language": TEXTS,
    "phrases": {OutputType.BOOLEAN, OutputType.INTEGER, OutputType.CHOICE, OutputType.MULTI_CHOICE},
    "pattern": {OutputType.BOOLEAN, OutputType.INTEGER, *TEXTS},
}
# What a name says by itself, where there is no rule.
NAMED: dict[str, Skill] = {"sentiment": "sentiment", "summary": "summary", "topics": "topics", "language": "language"}


class Rule(BaseModel):
    """One rule. ``phrases`` and ``patterns`` are looked for in what ``speaker`` says; capitals do not matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skill: Skill
    speaker: Literal["any", "agent", "customer"] = "any"
    phrases: list[Phrase] = Field(default=[], max_length=200)
    choices: dict[str, list[Phrase]] = Field(default={}, max_length=200)
    patterns: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(default=[], max_length=20)

    @field_validator("patterns")
    @classmethod
    def _compile(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                regex.compile(pattern)
            except regex.error as error:
                raise ValueError(f"“{pattern[:60]}” is no regular expression: {error.msg}") from None
        return value


class NotAnswerable(ValueError):
    """An output that the engine cannot answer; the text says why."""


def rule_of(output: Output) -> Rule:
    """The rule of an output. Raises NotAnswerable."""
    if output.rule is not None:
        try:
            rule = Rule.model_validate(output.rule)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise NotAnswerable(f"Its rule is not valid: {place}: {first['msg']}") from None
    else:
        head = output.name.partition("_")[0]
        if head not in NAMED:
            known = ", ".join(TYPES)
            raise NotAnswerable(f"The built-in engine has no language model: name a rule with one of {known}.")
        rule = Rule(skill=NAMED[head])
    _check(output, rule)
    return rule


def unanswerable(outputs: Sequence[Output]) -> dict[str, str]:
    """By name of an output why it cannot be answered."""
    found = {}
    for output in outputs:
        try:
            rule_of(output)
        except NotAnswerable as error:
            found[output.name] = str(error)
    return found


def _check(output: Output, rule: Rule) -> None:
    if output.type not in TYPES[rule.skill]:
        fit = ", ".join(sorted(TYPES[rule.skill]))
        raise NotAnswerable(f"“{rule.skill}” answers {fit}, not {output.type}.")
    if rule.skill == "sentiment" and (output.minimum is None or output.maximum is None):
        raise NotAnswerable("“sentiment” needs the least and the most that the score can be.")
    if rule.skill in {"sentiment", "language"} and not output.nullable:
        raise NotAnswerable(f"“{rule.skill}” must be allowed to stay empty: not every conversation can be judged.")
    if rule.skill == "pattern" and not rule.patterns:
        raise NotAnswerable("“pattern” needs at least one regular expression.")
    if rule.skill == "pattern" and output.type in TEXTS and not output.nullable:
        raise NotAnswerable("A text that is looked for must be allowed to stay empty.")
    if rule.skill == "phrases":
        _check_phrases(output, rule)


def _check_phrases(output: Output, rule: Rule) -> None:
    if output.type in {OutputType.BOOLEAN, OutputType.INTEGER}:
        if not rule.phrases:
            raise NotAnswerable("“phrases” needs at least one phrase.")
        return
    foreign = sorted(set(rule.choices) - set(output.choices))
    if foreign or not rule.choices:
        named = f": “{foreign[0]}” is none of them" if foreign else ""
        raise NotAnswerable(f"“phrases” needs phrases for the choices of the output{named}.")
    if output.type == OutputType.CHOICE and not output.nullable:
        raise NotAnswerable("A choice by phrases must be allowed to stay empty: nothing may be found.")

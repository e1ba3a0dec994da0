"""The language of prompts: ``{{name}}``, ``{{name|filter}}``, ``{{#if name}}…{{/if}}``. Pure functions, no Django.

It has neither loops nor attributes nor calls, so a prompt of a tenant can neither run code nor take long (providers
§6.1). Unknown names are refused when a prompt is saved; values are put in once and never read again as a prompt.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

MAX_TEMPLATE = 20_000
MAX_TAGS = 300
MAX_DEPTH = 5
# Metadata are names, numbers and tags: what is longer was not meant for people.
MAX_VALUE = 500
SHORT = 80
TRANSCRIPT, SCHEMA, INSTRUCTIONS = "transcript", "output_schema", "output_instructions"
# What the platform or the tenant's administrators say themselves: these may stand in the instructions.
TRUSTED = frozenset(
    {"tenant.name", "tenant.language", "now", "call.channel", "call.direction", "call.duration", "call.started_at"}
)
# What callers and callers' systems say: only beside the conversation, as data (providers §6.6, rule 7).
UNTRUSTED = frozenset(
    {
        "call.id",
        "call.from",
        "call.to",
        "call.queue",
        "call.tags",
        "call.language",
        "call.subject",
        "agent.name",
        "agent.group",
        "topics",
        "sentiment",
    }
)
GENERATED = frozenset({SCHEMA, INSTRUCTIONS})
_CUSTOM = re.compile(r"custom\.[a-z][a-z0-9_]{0,63}", re.ASCII)
_PREVIOUS = re.compile(r"previous\.([a-z][a-z0-9_]{0,39})\.([a-z][a-z0-9_]{0,39})", re.ASCII)
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*"
_INNER = re.compile(
    rf"\s*(?:#if\s+(?P<test>{_NAME})|(?P<end>/if)|(?P<name>{_NAME})(?:\|(?P<filter>[a-z]+))?)\s*", re.ASCII
)


class Problem(StrEnum):
    """What can be wrong with a template; ``library.wording`` has the words of the page."""

    TOO_LONG = "has more than {most} characters"
    MANY_TAGS = "has more than {most} places to fill in"
    NO_TAG = "line {line}: “{what}” is neither a variable nor a condition"
    OPEN = "line {line}: “{{{{” is never closed"
    UNKNOWN = "line {line}: there is no variable “{what}”"
    FILTER = "line {line}: there is no filter “{what}”"
    NO_IF = "line {line}: “{{{{/if}}}}” without a condition"
    NO_END = "line {line}: the condition is never ended by “{{{{/if}}}}”"
    DEEP = "line {line}: conditions stand in each other more than {most} deep"
    NO_TRANSCRIPT = "needs the variable “{{{{transcript}}}}” once"
    CONDITIONAL = "“{{{{transcript}}}}” must not stand in a condition"
    NOT_HERE = "line {line}: “{what}” holds what callers say and must not stand in the instructions"
    SIGNS = "has control characters"


class TemplateError(ValueError):
    """``problem`` with its ``facts``; ``str`` is the English of it."""

    def __init__(self, problem: Problem, **facts: Any) -> None:
        self.problem, self.facts = problem, facts
        super().__init__(problem.format(**facts))


def _one_line(text: str) -> str:
    return " ".join(text.split())


FILTERS: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "line": _one_line,
    "short": lambda text: _one_line(text)[:SHORT],
}


@dataclass(frozen=True, slots=True)
class Part:
    """Text, or a variable with a filter, or a condition with its own parts."""

    text: str = ""
    name: str = ""
    filter: str = ""
    line: int = 0
    parts: "tuple[Part, ...]" = ()
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    parts: tuple[Part, ...]

    @property
    def names(self) -> frozenset[str]:
        """All variables that it asks for, those of conditions too."""
        return frozenset(part.name for part in _walk(self.parts) if part.name)

    def render(self, values: Mapping[str, str], *, whole: Collection[str] = (TRANSCRIPT, *GENERATED)) -> str:
        """The text with the values put in; a name without a value is empty, and so is what hangs on it.

        Values are cut to 500 characters and freed of control characters, but for those named in ``whole``, which the
        caller has made itself. The result is never parsed again.
        """
        return "".join(_rendered(self.parts, values, frozenset(whole)))


@lru_cache(maxsize=512)
def parse(text: str) -> Template:
    """The template of a text. Raises TemplateError for what is no template; names are judged by ``check``."""
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(Problem.TOO_LONG, most=MAX_TEMPLATE)
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t\r" for sign in text):
        raise TemplateError(Problem.SIGNS)
    stack: list[tuple[Part, list[Part]]] = [(Part(), [])]
    at = 0
    for tags, match in enumerate(_TAG.finditer(text), start=1):
        if tags > MAX_TAGS:
            raise TemplateError(Problem.MANY_TAGS, most=MAX_TAGS)
        line = text.count("\n", 0, match.start()) + 1
        _take_text(stack[-1][1], text[at : match.start()], line)
        _take_tag(stack, match[1], line)
        at = match.end()
    _take_text(stack[-1][1], text[at:], text.count("\n", 0, at) + 1)
    if len(stack) > 1:
        raise TemplateError(Problem.NO_END, line=stack[-1][0].line)
    return Template(tuple(stack[0][1]))


def _take_text(parts: list[Part], text: str, line: int) -> None:
    if "{{" in text:
        raise TemplateError(Problem.OPEN, line=line + text.count("\n", 0, text.index("{{")))
    if text:
        parts.append(Part(text=text))


def _take_tag(stack: list[tuple[Part, list[Part]]], inner: str, line: int) -> None:
    found = _INNER.fullmatch(inner)
    if found is None:
        raise TemplateError(Problem.NO_TAG, line=line, what=inner.strip()[:40])
    if found["test"]:
        if len(stack) > MAX_DEPTH:
            raise TemplateError(Problem.DEEP, line=line, most=MAX_DEPTH)
        stack.append((Part(name=found["test"], line=line, conditional=True), []))
    elif found["end"]:
        if len(stack) == 1:
            raise TemplateError(Problem.NO_IF, line=line)
        head, parts = stack.pop()
        stack[-1][1].append(Part(name=head.name, line=head.line, parts=tuple(parts), conditional=True))
    else:
        if found["filter"] and found["filter"] not in FILTERS:
            raise TemplateError(Problem.FILTER, line=line, what=found["filter"])
        stack[-1][1].append(Part(name=found["name"], filter=found["filter"] or "", line=line))


def _walk(parts: tuple[Part, ...]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _walk(part.parts)


def _rendered(parts: tuple[Part, ...], values: Mapping[str, str], whole: frozenset[str]) -> Iterator[str]:
    for part in parts:
        if not part.name:
            yield part.text
            continue
        value = values.get(part.name, "")
        value = value if part.name in whole else _tamed(value)
        if part.conditional:
            yield from _rendered(part.parts, values, whole) if value.strip() else ()
        else:
            yield FILTERS[part.filter](value) if part.filter else value


def _tamed(value: str) -> str:
    """Without control and format characters (which hide text from people), on one line, not too long."""
    kept = "".join(" " if unicodedata.category(sign) in ("Cc", "Cs", "Cf", "Zl", "Zp") else sign for sign in value)
    return _one_line(kept)[:MAX_VALUE]


def check_system(text: str) -> Template:
    """Parse the instructions: only what the platform says may stand in them. Raises TemplateError."""
    template = parse(text)
    for part in _walk(template.parts):
        if part.name and part.name not in TRUSTED | GENERATED:
            known = part.name in UNTRUSTED or part.name == TRANSCRIPT or _patterned(part.name)
            raise TemplateError(Problem.NOT_HERE if known else Problem.UNKNOWN, line=part.line, what=part.name)
    return template


def check_user(text: str, *, fields: Collection[str], previous: Collection[tuple[str, str]] = ()) -> Template:
    """Parse the request: with the transcript once, and no unknown variable. Raises TemplateError.

    ``fields`` are the keys of the custom fields that can be asked for, ``previous`` the (task, output) pairs.
    """
    template = parse(text)
    for part in _walk(template.parts):
        if part.name and not _known(part.name, fields, previous):
            raise TemplateError(Problem.UNKNOWN, line=part.line, what=part.name)
    if sum(part.name == TRANSCRIPT and not part.conditional for part in _walk(template.parts)) != 1:
        raise TemplateError(Problem.NO_TRANSCRIPT)
    if not any(part.name == TRANSCRIPT for part in template.parts):
        raise TemplateError(Problem.CONDITIONAL)
    return template


def _known(name: str, fields: Collection[str], previous: Collection[tuple[str, str]]) -> bool:
    if name in TRUSTED | UNTRUSTED | GENERATED or name == TRANSCRIPT:
        return True
    if _CUSTOM.fullmatch(name):
        return name.removeprefix("custom.") in fields
    found = _PREVIOUS.fullmatch(name)
    return found is not None and (found[1], found[2]) in previous


def _patterned(name: str) -> bool:
    return bool(_CUSTOM.fullmatch(name) or _PREVIOUS.fullmatch(name))


def upstream_of(template: Template) -> frozenset[str]:
    """The keys of the tasks whose outputs it asks for."""
    return frozenset(found[1] for name in template.names if (found := _PREVIOUS.fullmatch(name)))


def custom_of(template: Template) -> frozenset[str]:
    """The keys of the custom fields that it asks for."""
    return frozenset(name.removeprefix("custom.") for name in template.names if _CUSTOM.fullmatch(name))

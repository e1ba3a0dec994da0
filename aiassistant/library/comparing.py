"""Two versions of a task beside each other."""

import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from aiassistant.library.forms import outputs_text
from aiassistant.library.models import AITaskVersion

PARTS: tuple[tuple[str, str | Promise], ...] = (
    ("system_template", _("Instructions")),
    ("user_template", _("Request")),
    ("outputs", _("Outputs")),
    ("filters", _("Filters")),
    ("params", _("Settings of the request")),
    ("limits", _("Limits")),
    ("applies_to", _("Applies to")),
    ("overflow", _("Long conversations")),
    ("overwrite", _("Overwrite values")),
    ("engine_ref", _("AI engine")),
    ("model", _("Model")),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the old version beside that of the new one; ``changed`` when they differ."""

    old: str
    new: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a task, in lines."""

    label: str | Promise
    lines: tuple[Line, ...]
    changed: bool


def compared(old: AITaskVersion, new: AITaskVersion) -> list[Part]:
    """All parts, those without a change too."""
    found = []
    for name, label in PARTS:
        lines = _lines(_text(old, name), _text(new, name))
        found.append(Part(label, lines, any(line.changed for line in lines)))
    return found


def _text(version: AITaskVersion, name: str) -> str:
    value: Any = getattr(version, name)
    if name == "outputs":
        return outputs_text(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) if value else ""
    return "" if value is None else str(value)


def _lines(old: str, new: str) -> tuple[Line, ...]:
    before, after = old.splitlines(), new.splitlines()
    found: list[Line] = []
    for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        pairs = zip_longest(before[i:j], after[k:m], fillvalue="")
        found += [Line(left, right, tag != "equal") for left, right in pairs]
    return tuple(found)

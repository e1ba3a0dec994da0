"""What makes an execution look as if somebody had tried to talk to the model. It only marks it (providers §6.6, 6)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiassistant.executing.flags import Flag

_ORDERS = re.compile(
    r"ignore (all |any )?(the |your |my )?(previous |prior |above |earlier )?(instructions|rules|prompt)"
    r"|disregard (all |the |your )?(previous |above )?(instructions|rules)"
    r"|you are now (a|an|the) |system prompt|new instructions:|set (the )?[a-z_ ]{3,40} to -?[0-9]"
    r"|ignorier\w* (alle |die )?(vorherigen |bisherigen )?(anweisungen|regeln)"
    r"|ignora (todas )?(las |tus )?(instrucciones|reglas)|ignore[zr]? (toutes )?(les |vos )?(instructions|consignes)"
    r"|игнорируй\w* (все )?(предыдущие )?(инструкции|указания)|התעלם מכל ההוראות|تجاهل (جميع |كل )?التعليمات",
    re.IGNORECASE,
)
_MARKER = re.compile(r"<<\s*/?\s*T-", re.IGNORECASE)
_MARKUP = re.compile(
    r"<\s*(script|img|iframe|svg|a|style|link|meta|object|form)\b|\]\(\s*https?:|javascript:", re.IGNORECASE
)
LEAST_ECHO = 60


def asks_something(texts: Iterable[str]) -> bool:
    """Whether the conversation contains what looks like an order to the model."""
    return any(_ORDERS.search(text) for text in texts)


def flags_of(answer: str, values: Mapping[str, Any], system: str) -> set[str]:
    """What the answer shows: our markers or instructions in it, or markup in a text. None of it is ever rendered."""
    found = set()
    if _MARKER.search(answer) or _echoes(answer, system):
        found.add(Flag.ECHO.value)
    if any(isinstance(value, str) and _MARKUP.search(value) for value in values.values()):
        found.add(Flag.MARKUP.value)
    return found


def _echoes(answer: str, system: str) -> bool:
    """Whether a whole stretch of the instructions stands in the answer."""
    pieces = [system[at : at + LEAST_ECHO] for at in range(0, max(len(system) - LEAST_ECHO, 1), LEAST_ECHO)]
    return any(len(piece) == LEAST_ECHO and piece in answer for piece in pieces)

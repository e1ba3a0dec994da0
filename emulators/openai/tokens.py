"""Tokens as this server counts them: pieces of up to four letters, and every other sign alone."""

import re
from collections.abc import Iterable
from typing import Any

_PIECES = re.compile(r"[A-Za-z\u00c0-\u024f]{1,4}|[\u0400-\u04ff]{1,2}|[0-9]{1,3}|\S")
PER_MESSAGE = 4


def count(text: str) -> int:
    """The tokens of a text."""
    return sum(1 for _piece in _PIECES.finditer(text))


def count_messages(messages: Iterable[dict[str, Any]]) -> int:
    """The tokens of a prompt."""
    return sum(count(text_of(message)) + PER_MESSAGE for message in messages) + 3


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, whose content is a text or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def cut(text: str, most: int) -> str:
    """The beginning of a text, as many tokens as allowed."""
    end = 0
    for number, piece in enumerate(_PIECES.finditer(text)):
        if number >= most:
            return text[:end]
        end = piece.end()
    return text

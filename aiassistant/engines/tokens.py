"""Counting tokens without the tokeniser of the model: an estimate by script, calibrated by what engines report.

The tables of real tokenisers would be downloads, and differ by model (providers §6.4). An estimate never makes a request
fail; it only decides how a text is cut.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from aiassistant.engines.base import Message

PER_MESSAGE = 4
# Characters of one token; what is in no table counts as CJK does, which is the careful side.
LATIN, CYRILLIC, SEMITIC, CJK, SINGLE = 3.8, 2.4, 1.9, 0.9, 1.0
LEAST, MOST = 0.5, 2.0
MARGIN = 1.10
# The weight of the newest report.
ALPHA = 0.2


def estimate(text: str) -> float:
    """About how many tokens ``text`` has."""
    return sum(_cost(character) for character in text)


def estimate_messages(messages: Iterable[Message]) -> int:
    """About how many tokens a request of these messages has, what stands around each included."""
    return round(sum(estimate(message.content) + PER_MESSAGE for message in messages))


def calibrated(tokens: float, factor: float) -> int:
    """An estimate by the factor of an engine, and ten per cent on the careful side."""
    return round(tokens * min(max(factor, LEAST), MOST) * MARGIN)


def calibrate(factor: float, *, reported: int, estimated: int) -> float:
    """The factor after an engine has ``reported`` the tokens of a prompt that was ``estimated``; from 0.5 to 2.

    A report of nothing, as from a server that cached the prompt or does not count, teaches nothing.
    """
    if reported <= 0 or estimated <= 0:
        return factor
    seen = min(max(reported / estimated, LEAST), MOST)
    return min(max((1 - ALPHA) * factor + ALPHA * seen, LEAST), MOST)


@lru_cache(maxsize=4096)
def _cost(character: str) -> float:
    """The share of a token that one character takes."""
    if character.isspace():
        # Blanks belong to the word that follows.
        return 1 / LATIN
    if not character.isalpha() and unicodedata.category(character) not in {"Mn", "Mc"}:
        return 1 / SINGLE
    name = unicodedata.name(character, "")
    for prefixes, size in _SCRIPTS:
        if name.startswith(prefixes):
            return 1 / size
    return 1 / CJK


_SCRIPTS = (
    (("LATIN", "COMBINING", "MODIFIER", "FULLWIDTH LATIN"), LATIN),
    (("CYRILLIC", "GREEK"), CYRILLIC),
    (("HEBREW", "ARABIC"), SEMITIC),
)

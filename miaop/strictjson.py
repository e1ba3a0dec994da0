"""JSON as the API takes it from strangers: no name twice, no NaN, no endless numbers, no text that cannot be stored. Pure."""

import json
import math
from collections.abc import Sequence
from typing import Any


class Malformed(Exception):
    """The text is not the JSON that is taken; the message says why."""


class TooDeep(Malformed):
    """It is nested more deeply than it can be read."""


def loads(text: str) -> Any:
    """What the text holds. Raises Malformed."""
    try:
        return json.loads(
            text, object_pairs_hook=_single, parse_constant=_refused, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise Malformed(f"not valid JSON: line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise TooDeep("nested too deeply") from None


def unstorable(text: str) -> bool:
    """Whether it holds NUL or half a character, which no column takes."""
    return any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text)


def _single(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a member is given twice")
    return found


def _refused(constant: str) -> Any:
    raise Malformed(f"{constant} is no number in JSON")


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise Malformed("a number is too large")
    return int(digits)


def _number(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise Malformed("a number is too large")
    return found

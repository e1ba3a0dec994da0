"""Finding the JSON object in what a model wrote (providers §6.2, step 3)."""

import json
import math
import re
from typing import Any

MAX_BYTES = 256 * 1024
_THOUGHTS = re.compile(r"<think>.*?(</think>|$)", re.DOTALL | re.IGNORECASE)
# A model whose server drops the opening mark still writes the closing one.
_TAIL_OF_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL | re.IGNORECASE)


class NoObject(ValueError):
    """There is no usable JSON object; the text says what is wrong and quotes nothing of the answer."""


def extract_object(text: str) -> dict[str, Any]:
    """The first whole JSON object in ``text``, without byte order mark, thoughts and fences around it.

    Raises NoObject for none, one cut short, NaN or infinity, a key twice, deep nesting and more than 256 KiB.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise NoObject(f"The answer is longer than {MAX_BYTES // 1024} KiB.")
    bare = _TAIL_OF_THOUGHTS.sub("", _THOUGHTS.sub("", text.removeprefix("\ufeff")))
    start = bare.find("{")
    if start < 0:
        raise NoObject("The answer contains no JSON object.")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    try:
        found, _end = decoder.raw_decode(bare, start)
        # A lone surrogate can be written by no database.
        json.dumps(found, ensure_ascii=False).encode()
    except NoObject:
        raise
    except RecursionError:
        raise NoObject("The JSON of the answer is nested too deeply.") from None
    except UnicodeError:
        raise NoObject("The answer contains broken text.") from None
    except ValueError as error:
        position = getattr(error, "pos", 0) - start
        raise NoObject(f"The JSON of the answer is broken after {position} characters.") from None
    return found  # type: ignore[no-any-return]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NoObject("A key stands twice in the JSON of the answer.")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_constant(text[:20])


def _no_constant(name: str) -> float:
    raise NoObject(f"The JSON of the answer contains {name}.")

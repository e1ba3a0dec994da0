"""How much of a conversation fits into one request, and how to cut what does not (providers §6.3). Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

SAFETY = 0.08
OVERLAP = 2
HEAD = 0.4


class NoRoom(ValueError):
    """Nothing of the conversation fits: instructions and answer fill the window already."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Turns ``first`` to ``last``, both included, counted from 0."""

    first: int
    last: int


def room_for_source(*, window: int, max_output: int, overhead: int) -> int:
    """Tokens that the conversation may have: the window less answer, instructions and eight per cent of the window.

    Raises NoRoom when that leaves nothing.
    """
    room = window - max_output - overhead - round(window * SAFETY)
    if room <= 0:
        raise NoRoom(f"A window of {window} tokens has no room beside {max_output} of answer and {overhead} of prompt.")
    return room


def pieces(sizes: Sequence[int], room: int, *, overlap: int = OVERLAP) -> list[Piece]:
    """Cut turns of these ``sizes`` (tokens) into pieces of at most ``room``, each with the last turns of the one before.

    A turn that alone is larger than ``room`` is a piece of its own: the caller cuts its text.
    """
    if room <= 0:
        raise NoRoom("There is no room for the conversation.")
    found: list[Piece] = []
    first = 0
    while first < len(sizes):
        last, used = first, sizes[first]
        while last + 1 < len(sizes) and used + sizes[last + 1] <= room:
            last += 1
            used += sizes[last]
        found.append(Piece(first, last))
        if last + 1 >= len(sizes):
            break
        # Each piece must reach further than the one before, or small rooms would never end.
        following = last + 1
        back, shared = following, 0
        while back > first + 1 and following - back < overlap and shared + sizes[back - 1] + sizes[following] <= room:
            back -= 1
            shared += sizes[back]
        first = back
    return found


def head_and_tail(sizes: Sequence[int], room: int, *, mark: int) -> tuple[int, int]:
    """How many turns to keep from the beginning and from the end when the middle is left out for a mark of that size.

    The beginning gets 40 per cent, the end the rest. Everything is kept when it fits.
    """
    if sum(sizes) <= room:
        return len(sizes), 0
    left = room - mark
    head = _fitting(sizes, left * HEAD)
    tail = _fitting(sizes[head:][::-1], left - sum(sizes[:head]))
    return head, tail


def _fitting(sizes: Sequence[int], room: float) -> int:
    used = 0
    for count, size in enumerate(sizes):
        used += size
        if used > room:
            return count
    return len(sizes)

"""Phrases that an engine says again and again, as recognisers do that have lost the thread. Pure functions, no Django."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.transcripts import Segment

# How often a phrase of 1–8 words follows itself before it counts. People say "no no no no" and spell numbers.
OFTEN = {1: 9, 2: 7, 3: 5, 4: 5, 5: 4, 6: 4, 7: 4, 8: 4}
# Somebody who listens says "mhm" many times, with pauses: phrases of 1–2 words count only without them.
SHORT_WORDS, SHORT_GAP_MS = 2, 1_500

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


@dataclass(frozen=True, slots=True)
class Repeats:
    """``words`` is the number of words within loops, ``times`` how often the worst phrase follows itself."""

    words: int
    times: int


def repeats_of(segments: Sequence[Segment]) -> Repeats:
    """Loops within each channel; words are compared without case and the marks around them."""
    words = times = 0
    for channel in sorted({segment.channel for segment in segments}):
        looped, worst = _loops([segment for segment in segments if segment.channel == channel])
        words, times = words + looped, max(times, worst)
    return Repeats(words, times)


def _loops(segments: Sequence[Segment]) -> tuple[int, int]:
    numbers: dict[str, int] = {}
    ids, starts, ends = [], [], []
    for segment in segments:
        timed = [(word.text, word.start_ms, word.end_ms) for word in segment.words]
        for text, start, end in timed or [(text, segment.start_ms, segment.end_ms) for text in segment.text.split()]:
            bare = _EDGES.sub("", text).casefold()
            if bare:
                ids.append(numbers.setdefault(bare, len(numbers)))
                starts.append(start)
                ends.append(end)
    said = np.array(ids, dtype=np.int64)
    paused = np.array(starts, dtype=np.int64)[1:] - np.array(ends, dtype=np.int64)[:-1] > SHORT_GAP_MS
    looped, worst = np.zeros(len(said), dtype=np.bool_), 0
    for length, often in OFTEN.items():
        if len(said) < length * often:
            continue
        again = said[length:] == said[:-length]
        if length <= SHORT_WORDS:
            again &= ~paused[length - 1 :]
        for first, count in _runs(again):
            # A run of n repeated words after the phrase itself.
            repeated = count // length + 1
            if repeated >= often:
                looped[first : first + count + length] = True
                worst = max(worst, repeated)
    return int(np.count_nonzero(looped)), worst


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, length) of each run of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last - first)) for first, last in zip(edges[::2], edges[1::2], strict=True)]

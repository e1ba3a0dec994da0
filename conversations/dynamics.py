"""How people talked with each other, from the times of the transcript alone: no AI, no audio. Pure functions, no Django.

A side is a channel of the recording, or a speaker where all speak in one channel. A stretch is what a side says without
a pause of more than ``PAUSE_MS``.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from core.transcripts import Segment, TranscriptData

# Shorter pauses are breath.
PAUSE_MS = 700
# Who talks at the same time for longer, and goes on when the other has stopped, took the floor.
OVERLAP_MS = 300
# So many words of the other side do not end a monologue: "yes", "I see".
LISTENING_WORDS = 2
# A pause that ends a monologue.
MONOLOGUE_PAUSE_MS = 5_000
# Sides beyond the most talkative are one: a list of hostile length stays cheap.
MAX_SIDES = 6

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Side:
    """One side. ``first`` is one of its turns (its name is there), None for the rest of many speakers.

    ``share`` of all talk is 0–1, ``pace`` words a minute of its own talk (None without talk), times in milliseconds;
    ``interruptions`` is how often it took the floor while another side talked.
    """

    first: Segment | None
    talk_ms: int
    share: float
    monologue_ms: int
    interruptions: int
    pace: float | None
    turns: int


@dataclass(frozen=True, slots=True)
class Dynamics:
    """``silence`` is the share (0–1) of the call in which nobody talks; sides come in the order of their first words."""

    sides: tuple[Side, ...]
    silence: float
    turns: int
    interruptions: int
    longest_monologue_ms: int


def dynamics(data: TranscriptData) -> Dynamics | None:
    """The dynamics of a normalised transcript; None when there is no talk with times in it."""
    of = _sides_of(data.segments)
    turns: dict[Hashable, list[Segment]] = {}
    for segment in data.segments:
        turns.setdefault(of(segment), []).append(segment)
    stretches = {side: _joined(_spans(said), PAUSE_MS) for side, said in turns.items()}
    talk = {side: sum(end - start for start, end in spans) for side, spans in stretches.items()}
    total = sum(talk.values())
    if not total:
        return None
    floor, taken = _floor(data.segments, of), _interruptions(stretches)
    monologues = _monologues(data.segments, of)
    sides = tuple(
        Side(
            first=None if side is None else said[0],
            talk_ms=talk[side],
            share=talk[side] / total,
            monologue_ms=monologues.get(side, 0),
            interruptions=taken[side],
            pace=sum(_words(turn) for turn in said) * 60_000 / talk[side] if talk[side] else None,
            turns=floor[side],
        )
        for side, said in turns.items()
    )
    together = _joined((span for spans in stretches.values() for span in spans), 0)
    heard = sum(end - start for start, end in together)
    return Dynamics(
        sides,
        silence=max(0.0, 1 - heard / data.duration_ms) if data.duration_ms > 0 else 0.0,
        turns=sum(floor.values()),
        interruptions=sum(taken.values()),
        longest_monologue_ms=max(monologues.values(), default=0),
    )


def _sides_of(segments: Sequence[Segment]) -> Callable[[Segment], Hashable]:
    """What tells the sides apart; None stands for all behind the ``MAX_SIDES`` with most turns."""
    if len({segment.channel for segment in segments}) > 1:
        return lambda segment: segment.channel
    known = {name for name, _count in Counter(segment.speaker for segment in segments).most_common(MAX_SIDES)}
    return lambda segment: segment.speaker if segment.speaker in known else None


def _words(segment: Segment) -> int:
    return len(segment.words) or len(segment.text.split())


def _spans(segments: Iterable[Segment]) -> list[Stretch]:
    """When something is said: by words where they have times, else by the turn."""
    spans: list[Stretch] = []
    for segment in segments:
        timed = [(word.start_ms, word.end_ms) for word in segment.words]
        spans += timed or [(segment.start_ms, segment.end_ms)]
    return spans


def _joined(spans: Iterable[Stretch], pause_ms: int) -> list[Stretch]:
    """In order, without overlaps, and without pauses of up to ``pause_ms``."""
    joined: list[Stretch] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= pause_ms:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _floor(segments: Iterable[Segment], of: Callable[[Segment], Hashable]) -> Counter[Hashable]:
    """How often each side begins to talk after another one."""
    floor: Counter[Hashable] = Counter()
    before: object = object()
    for segment in segments:
        side = of(segment)
        if side != before:
            floor[side] += 1
        before = side
    return floor


def _interruptions(stretches: dict[Hashable, list[Stretch]]) -> Counter[Hashable]:
    """How often each side begins while another one talks, overlaps by more than ``OVERLAP_MS`` and outlasts it."""
    taken: Counter[Hashable] = Counter()
    running: dict[Hashable, Stretch] = {}
    ordered = sorted((start, end, number) for number, spans in enumerate(stretches.values()) for start, end in spans)
    names = list(stretches)
    for start, end, number in ordered:
        side = names[number]
        others = [span for name, span in running.items() if name != side]
        if any(first < start and last - start > OVERLAP_MS and end > last for first, last in others):
            taken[side] += 1
        running[side] = (start, end)
    return taken


def _monologues(segments: Iterable[Segment], of: Callable[[Segment], Hashable]) -> dict[Hashable, int]:
    """The longest time for which each side talks on; a word or two of listeners do not end it."""
    longest: dict[Hashable, int] = {}
    holder: object = object()
    start = end = 0
    for segment in segments:
        side = of(segment)
        if side != holder and _words(segment) <= LISTENING_WORDS and segment.start_ms <= end + PAUSE_MS:
            longest.setdefault(side, segment.end_ms - segment.start_ms)
            continue
        if side != holder or segment.start_ms - end > MONOLOGUE_PAUSE_MS:
            holder, start, end = side, segment.start_ms, segment.end_ms
        end = max(end, segment.end_ms)
        longest[side] = max(longest.get(side, 0), end - start)
    return longest

"""Making a provider's answer fit for storing: trust nothing (hostile 3I1–3I2). Pure functions, no Django.

What was clamped, merged or dropped is said in ``warnings``; the call page shows them to readers of the transcript.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from conversations.codec import inside_word
from core.transcripts import Segment, TranscriptData, Word

MAX_SEGMENTS = 50_000
MAX_WORDS = 300_000
MAX_SPEAKER_CHARS = 60
MAX_WORD_CHARS = 200
# Text in the order of real speech: an auctioneer speaks 400 words a minute. The floor leaves room for short files.
MAX_TEXT_BYTES_PER_MINUTE = 6_000
MIN_TEXT_BYTES = 20_000
# PostgreSQL refuses a search vector of 1 MiB.
MAX_TEXT_BYTES = 500_000
MAX_WARNINGS = 20
# How far ahead in its turn a word is looked for before it counts as not written there.
LOOK_AHEAD_CHARS = 64

# Overrides and isolates can hide or turn around the text after them; the plain marks for direction may stay.
_BIDI_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_EDGES = re.compile(r"^\W+|\W+$")


def normalise(data: TranscriptData, duration_ms: int) -> TranscriptData:
    """Return ``data`` with every rule of the store kept; ``duration_ms`` is the length that we decoded ourselves.

    Times are whole milliseconds within 0…duration with start ≤ end, words are in order and stand in the text of their
    turn, texts are single lines without control characters, segments are sorted by (start, channel), counts and sizes
    are capped. Our own measure of the duration replaces the provider's.
    """
    notes = _Notes()
    if abs(_millis(data.duration_ms, 2**53) - duration_ms) > max(2_000, duration_ms // 20):
        notes.add("the engine reported another duration than was measured")
    budget = _Budget.for_duration(duration_ms)
    segments = []
    for segment in data.segments[:MAX_SEGMENTS]:
        kept = _segment(segment, duration_ms, budget, notes)
        if kept is not None:
            segments.append(kept)
    if len(data.segments) > MAX_SEGMENTS:
        notes.add(f"turns beyond {MAX_SEGMENTS} were dropped")
    segments.sort(key=lambda segment: (segment.start_ms, segment.channel, segment.end_ms))
    return TranscriptData(
        language=_line(data.language)[:20],
        duration_ms=duration_ms,
        model=_line(data.model)[:120],
        segments=tuple(segments),
        warnings=tuple(dict.fromkeys([*(_line(note)[:200] for note in data.warnings), *notes.found]))[:MAX_WARNINGS],
    )


@dataclass
class _Notes:
    found: dict[str, None] = field(default_factory=dict)

    def add(self, note: str) -> None:
        self.found[note] = None


@dataclass
class _Budget:
    text_bytes: int
    words: int = MAX_WORDS

    @classmethod
    def for_duration(cls, duration_ms: int) -> "_Budget":
        by_length = MAX_TEXT_BYTES_PER_MINUTE * duration_ms // 60_000
        return cls(min(MAX_TEXT_BYTES, max(MIN_TEXT_BYTES, by_length)))


def _segment(segment: Segment, duration_ms: int, budget: _Budget, notes: _Notes) -> Segment | None:
    start, end = _times(segment.start_ms, segment.end_ms, duration_ms, notes)
    text = _line(segment.text)
    kept = _as_they_stand(text, segment.words, duration_ms) if len(segment.words) <= budget.words else None
    words: Sequence[Word] = kept if kept is not None else _cleaned(segment.words[: budget.words], duration_ms, notes)
    text = text or " ".join(word.text for word in words)
    size = len(text.encode())
    if not text or size > budget.text_bytes:
        if text:
            notes.add("text beyond the size limit was dropped")
        return None
    budget.text_bytes -= size
    budget.words -= len(words)
    placed = kept if kept is not None else _in_order(_align(text, words, notes), notes)
    if placed:
        start, end = min(start, placed[0].start_ms), max(end, placed[-1].end_ms)
    channel = segment.channel if isinstance(segment.channel, int) and 0 <= segment.channel <= 1 else 0
    return Segment(channel, _line(segment.speaker)[:MAX_SPEAKER_CHARS], start, end, text, placed)


def _as_they_stand(text: str, words: Sequence[Word], duration_ms: int) -> tuple[Word, ...] | None:
    """The words of a turn when each keeps every rule, which nearly all do; None when anything has to be mended.

    What comes out is what the long way would make of them, at a tenth of its price.
    """
    tokens = text.split(" ") if text else []
    if len(tokens) != len(words):
        return None
    placed, before = [], 0
    for token, word in zip(tokens, words, strict=True):
        start, end, confidence = word.start_ms, word.end_ms, word.confidence
        if token != word.text or len(token) > MAX_WORD_CHARS or type(start) is not int or type(end) is not int:
            return None
        if not before <= start <= end <= duration_ms:
            return None
        if confidence is not None:
            if type(confidence) is not float or not 0 <= confidence <= 1:
                return None
            if confidence != (rounded := round(confidence, 2)):
                word = Word(token, start, end, rounded)
        placed.append(word)
        before = start
    return tuple(placed)


def _cleaned(words: Sequence[Word], duration_ms: int, notes: _Notes) -> list[Word]:
    clean = [_word(word, duration_ms, notes) for word in words]
    return [word for word in clean if word.text]


def _word(word: Word, duration_ms: int, notes: _Notes) -> Word:
    start, end = _times(word.start_ms, word.end_ms, duration_ms, notes)
    return Word(_line(word.text)[:MAX_WORD_CHARS], start, end, _confidence(word.confidence))


def _times(start: float, end: float, duration_ms: int, notes: _Notes) -> tuple[int, int]:
    first, last = _millis(start, duration_ms), _millis(end, duration_ms)
    if (first, last) != (start, end) or last < first:
        notes.add("times outside the recording were clamped")
    return first, max(first, last)


def _millis(value: float, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return max(0, min(highest, round(value)))


def _confidence(value: float | None) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(max(0.0, min(1.0, value)), 2)


def _line(text: str) -> str:
    """One line of plain text: no NUL, control or half characters, no bidirectional overrides, single spaces."""
    if not isinstance(text, str):
        return ""
    one_line = " ".join(text.split())
    if not one_line.isprintable():
        unwanted = {char for char in set(one_line) if _is_unwanted(char)}
        one_line = " ".join("".join(char for char in one_line if char not in unwanted).split())
    return one_line


def _is_unwanted(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs"} or ord(char) in _BIDI_CONTROLS


def _in_order(words: Iterable[Word], notes: _Notes) -> tuple[Word, ...]:
    """Words of one turn never begin before the word before them: a player steps through them in reading order."""
    placed: list[Word] = []
    for word in words:
        if placed and word.start_ms < placed[-1].start_ms:
            notes.add("words out of order were moved")
            word = replace(word, start_ms=placed[-1].start_ms, end_ms=max(word.end_ms, placed[-1].start_ms))
        placed.append(word)
    return tuple(placed)


def _align(text: str, words: Sequence[Word], notes: _Notes) -> list[Word]:
    """Give every word the exact letters of the text.

    Engines write “Hello,” and “25” but list “hello” and “twenty five”. Most lists match the text token by token; else
    each word is looked for shortly after the one before it, and words that are not written as spoken are merged into
    one over the text between their neighbours.
    """
    tokens = text.split()
    if len(tokens) == len(words) and all(_alike(token, word.text) for token, word in zip(tokens, words, strict=True)):
        return [replace(word, text=token) for token, word in zip(tokens, words, strict=True)]
    placed: list[Word] = []
    waiting: list[Word] = []
    cursor = 0
    for word in words:
        found = _find(text, word.text, cursor)
        if found is None:
            waiting.append(word)
            continue
        placed += _merged(text[cursor : found[0]], waiting, notes)
        waiting = []
        placed.append(replace(word, text=text[found[0] : found[1]]))
        cursor = found[1]
    return placed + _merged(text[cursor:], waiting, notes)


def _alike(token: str, word: str) -> bool:
    return token == word or _EDGES.sub("", token).casefold() == _EDGES.sub("", word).casefold()


def _find(text: str, word: str, cursor: int) -> tuple[int, int] | None:
    pattern = re.compile(re.escape(word), re.IGNORECASE)
    for found in pattern.finditer(text, cursor, cursor + LOOK_AHEAD_CHARS + len(word)):
        if not inside_word(text, found.start()) and not inside_word(text, found.end()):
            return found.span()
    return None


def _merged(gap: str, words: list[Word], notes: _Notes) -> list[Word]:
    if not words:
        return []
    written = gap.strip()
    if not any(char.isalnum() for char in written):
        notes.add("words that are not in the text were dropped")
        return []
    known = [word.confidence for word in words if word.confidence is not None]
    last = max(word.end_ms for word in words)
    return [Word(written, words[0].start_ms, max(last, words[0].start_ms), min(known) if known else None)]

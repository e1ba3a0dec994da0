"""Transcripts as bytes: turns and words as columns of small numbers, then zstd (performance: about 1 KB a minute).

The plain text lies beside the body, one line a turn, because full-text search needs it as text; so the body holds no
words, only where each word stands in its turn. ``normalise`` comes first: it makes hostile or careless answers of
providers fit (hostile 3I1–3I2). Pure functions, no Django.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson
import zstandard

from core.transcripts import Segment, TranscriptData, Word

FORMAT = 1
MAX_BODY_BYTES = 64 * 1024 * 1024
NO_CONFIDENCE = 101
# Level 19 would save about 5 % more for far more memory.
LEVEL = 9

Column = npt.NDArray[np.int64]
Numbers = Sequence[int] | Column


class CorruptTranscript(ValueError):
    """The stored bytes do not fit together; they were not written by ``pack`` with this text."""


@dataclass(frozen=True, slots=True)
class WordSpan:
    """Where a word stands: times in milliseconds, characters (code points) of its turn's text."""

    start_ms: int
    end_ms: int
    char_start: int
    char_end: int
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Packed:
    """The two columns of a stored transcript, and what is counted in it."""

    body: bytes
    text: str
    turn_count: int
    word_count: int


def _encoded(columns: Sequence[Numbers]) -> list[bytes]:
    """Signed numbers as zigzag varints: seven bits a byte, the lowest first. All of all columns at once."""
    signed = np.concatenate([np.asarray(column, dtype=np.int64) for column in columns])
    left = ((signed << 1) ^ (signed >> 63)).view(np.uint64)
    groups, present = [left & 0x7F], [np.ones(len(left), dtype=bool)]
    while (left := left >> np.uint64(7)).any():
        more = left > 0
        groups[-1] = groups[-1] | np.where(more, np.uint64(0x80), np.uint64(0))
        groups.append(left & 0x7F)
        present.append(more)
    written = np.stack(present, axis=1)
    encoded = np.stack(groups, axis=1).astype(np.uint8)[written].tobytes()
    sizes = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(written.sum(axis=1))])
    ends = [int(sizes[end]) for end in np.cumsum([len(column) for column in columns])]
    return [encoded[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _numbers(column: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in column:
        value |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            continue
        yield -((value + 1) >> 1) if value & 1 else value >> 1
        value = shift = 0


def spans_of(segment: Segment) -> list[WordSpan]:
    """Where the words of a turn stand in its text, found one after the other.

    Raises CorruptTranscript when a word is not in the text: ``normalise`` makes sure that it is.
    """
    spans, cursor = [], 0
    for word in segment.words:
        start = _place(segment.text, word.text, cursor)
        if start < 0:
            raise CorruptTranscript("A word does not stand in the text of its turn.")
        cursor = start + len(word.text)
        spans.append(WordSpan(word.start_ms, word.end_ms, start, cursor, word.confidence))
    return spans


def inside_word(text: str, position: int) -> bool:
    """True when cutting ``text`` at ``position`` would cut a word."""
    return 0 < position < len(text) and text[position - 1].isalnum() and text[position].isalnum()


def _place(text: str, word: str, cursor: int) -> int:
    """The first place of ``word`` that does not lie inside another word, else the first place at all, else -1."""
    first = start = text.find(word, cursor)
    while start >= 0:
        if not inside_word(text, start) and not inside_word(text, start + len(word)):
            return start
        start = text.find(word, start + 1)
    return first


def pack(data: TranscriptData) -> Packed:
    """Pack a normalised transcript. Times and texts come back exactly, confidence in steps of 0.01.

    Raises CorruptTranscript for data that did not pass ``normalise`` (a line break in a turn, a word not in its turn).
    """
    if any("\n" in segment.text for segment in data.segments):
        raise CorruptTranscript("A turn is one line.")
    speakers = sorted({segment.speaker for segment in data.segments})
    numbers = {speaker: number for number, speaker in enumerate(speakers)}
    segments, words = data.segments, [word for segment in data.segments for word in segment.words]
    turns = np.array([segment.start_ms for segment in segments], dtype=np.int64)
    counts = np.array([len(segment.words) for segment in segments], dtype=np.int64)
    starts = np.array([word.start_ms for word in words], dtype=np.int64)
    ends = np.array([word.end_ms for word in words], dtype=np.int64)
    columns: list[Numbers] = [
        [segment.channel for segment in segments],
        [numbers[segment.speaker] for segment in segments],
        np.diff(turns, prepend=0),
        np.array([segment.end_ms for segment in segments], dtype=np.int64) - turns,
        counts,
        [gap for segment in segments for gap in _gaps(segment)],
        [len(word.text) for word in words],
        starts - _moments(turns, counts, ends),
        ends - starts,
    ]
    confidence = _percents(words)
    head = orjson.dumps([data.language, data.duration_ms, data.model, speakers, len(data.segments), data.warnings])
    parts = [head, *_encoded(columns), confidence]
    [sizes] = _encoded([[len(part) for part in parts]])
    plain = bytes([len(sizes)]) + sizes + b"".join(parts)
    return Packed(
        body=bytes([FORMAT]) + zstandard.ZstdCompressor(level=LEVEL).compress(plain),
        text="\n".join(segment.text for segment in data.segments),
        turn_count=len(data.segments),
        # Some engines give no times of words; the words are there all the same.
        word_count=sum(len(segment.words) or len(segment.text.split()) for segment in data.segments),
    )


def _moments(turns: Column, counts: Column, ends: Column) -> Column:
    """From when each word's start is counted: the end of the word before it, or the start of its turn."""
    moments = np.concatenate([np.zeros(1, dtype=np.int64), ends])[: len(ends)]
    first = np.cumsum(counts) - counts
    spoken = counts > 0
    moments[first[spoken]] = turns[spoken]
    return moments


def _percents(words: Sequence[Word]) -> bytes:
    given = np.array([np.nan if word.confidence is None else word.confidence for word in words], dtype=np.float64)
    return np.where(np.isnan(given), NO_CONFIDENCE, np.rint(given * 100)).astype(np.uint8).tobytes()


def _gaps(segment: Segment) -> list[int]:
    """How many characters lie between each word of the turn and the one before it."""
    texts = [word.text for word in segment.words]
    if texts and " ".join(texts) == segment.text:
        # The words are the text: nothing has to be looked for.
        return [0, *[1] * (len(texts) - 1)]
    gaps, chars = [], 0
    for span in spans_of(segment):
        gaps.append(span.char_start - chars)
        chars = span.char_end
    return gaps


def unpack(body: bytes, text: str) -> TranscriptData:
    """The transcript of a stored body and text. Raises CorruptTranscript when they do not belong together."""
    try:
        return _unpack(body, text)
    except (IndexError, StopIteration, orjson.JSONDecodeError, zstandard.ZstdError, TypeError) as error:
        raise CorruptTranscript("The stored transcript cannot be read.") from error


def _unpack(body: bytes, text: str) -> TranscriptData:
    if body[:1] != bytes([FORMAT]):
        raise CorruptTranscript("The stored transcript has an unknown format.")
    plain = zstandard.ZstdDecompressor().decompress(body[1:], max_output_size=MAX_BODY_BYTES)
    parts, position = [], 1 + plain[0]
    for size in _numbers(plain[1:position]):
        parts.append(plain[position : position + size])
        position += size
    language, duration_ms, model, speakers, turn_count, warnings = orjson.loads(parts[0])
    channel, speaker, turn_start, turn_length, words, *word_columns = (_numbers(part) for part in parts[1:-1])
    confidence = iter(parts[-1])
    lines = text.split("\n") if turn_count else []
    if len(lines) != turn_count:
        raise CorruptTranscript("The text has another number of turns than the body.")
    segments, before = [], 0
    for line in lines:
        before += next(turn_start)
        end = before + next(turn_length)
        found = _words(line, before, next(words), word_columns, confidence)
        segments.append(Segment(next(channel), speakers[next(speaker)], before, end, line, found))
    return TranscriptData(language, duration_ms, model, tuple(segments), tuple(warnings))


def _words(
    line: str, moment: int, count: int, columns: Sequence[Iterator[int]], confidence: Iterator[int]
) -> tuple[Word, ...]:
    gap, length, start, duration = columns
    words, chars = [], 0
    for _word in range(count):
        chars += next(gap)
        begin, chars = chars, chars + next(length)
        if not 0 <= begin <= chars <= len(line):
            raise CorruptTranscript("A word stands outside its turn.")
        started = moment + next(start)
        moment = started + next(duration)
        percent = next(confidence)
        words.append(Word(line[begin:chars], started, moment, None if percent == NO_CONFIDENCE else percent / 100))
    return tuple(words)

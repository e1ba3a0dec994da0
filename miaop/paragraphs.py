"""A transcript as the guide prints it: paragraphs of speakers with their words (R5.5–R5.7). Pure.

Text is cut, never joined anew: what stands between words stays, so that every script and direction survives.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conversations.codec import spans_of
from core.transcripts import Segment, TranscriptData

PAUSE_MS, LONGEST_MS = 1500, 60_000
# Written without spaces between words, so nothing stands between the texts of two turns either.
UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
DEFAULT_WORD = "Speaker"
_NUMBERED = re.compile(r"S?\d*\Z")
Speaker = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Style:
    """How a tenant wants transcripts: ``words`` for “speaker” by language, real names, ``id`` repeated as ``Id``."""

    words: Mapping[str, str]
    names: bool = False
    legacy_id: bool = False


@dataclass(slots=True)
class _Piece:
    """A stretch of one speaker; times in milliseconds. ``words`` are (text, start, end, confidence)."""

    speaker: Speaker
    start: int
    end: int
    text: str
    words: list[tuple[str, int, int, float | None]] = field(default_factory=list)


def transcription(data: TranscriptData, *, language: str, channels: int, style: Style) -> list[dict[str, Any]]:
    """The paragraphs of a transcript, in order; none when nobody spoke (R5.8). ``channels`` are those of the audio."""
    glue = "" if language.partition("-")[0].lower() in UNSPACED else " "
    paragraphs: list[_Piece] = []
    for piece in (piece for segment in data.segments for piece in _pieces(segment)):
        last = paragraphs[-1] if paragraphs else None
        if last is not None and _goes_on(last, piece):
            last.end, last.text = max(last.end, piece.end), f"{last.text}{glue}{piece.text}"
            last.words += piece.words
        else:
            paragraphs.append(piece)
    paragraphs.sort(key=lambda piece: (piece.start, piece.speaker[0]))
    labels = _labels(data.segments, channels, _word(style.words, language), names=style.names)
    return [_shown(piece, labels[piece.speaker], legacy_id=style.legacy_id) for piece in paragraphs]


def _goes_on(last: _Piece, piece: _Piece) -> bool:
    same = last.speaker == piece.speaker and bool(last.words) == bool(piece.words)
    return same and piece.start - last.end <= PAUSE_MS and piece.end - last.start <= LONGEST_MS


def _pieces(segment: Segment) -> Iterator[_Piece]:
    """One piece a word, or the whole turn where the engine gives no times of words."""
    speaker = (segment.channel, segment.speaker)
    if not segment.words:
        if segment.text:
            yield _Piece(speaker, segment.start_ms, segment.end_ms, segment.text)
        return
    spans, text = spans_of(segment), segment.text
    start = 0
    for place, span in enumerate(spans):
        end = _cut(text, span.char_end, spans[place + 1].char_start) if place + 1 < len(spans) else len(text)
        # Spaces between words come back as glue; where a language knows none, a written one stays.
        word = text[start:end].strip()
        yield _Piece(speaker, span.start_ms, span.end_ms, word, [(word, span.start_ms, span.end_ms, span.confidence)])
        start = end


def _cut(text: str, end: int, following: int) -> int:
    """Where the next word begins with what is attached to it: behind the last space between the two, else at itself."""
    gap = text[end:following]
    spaces = [place for place, char in enumerate(gap) if char.isspace()]
    return end + spaces[-1] + 1 if spaces else following


def _word(words: Mapping[str, str], language: str) -> str:
    return words.get(language) or words.get(language.partition("-")[0]) or DEFAULT_WORD


def _labels(segments: Sequence[Segment], channels: int, word: str, *, names: bool) -> dict[Speaker, str]:
    """Numbered in the order of first speech; in stereo without told speakers by their channel (R5.6)."""
    order = sorted(segments, key=lambda segment: (segment.start_ms, segment.channel))
    speakers = list(dict.fromkeys((segment.channel, segment.speaker) for segment in order))
    by_channel = channels > 1 and len({channel for channel, _speaker in speakers}) == len(speakers)
    numbers = {each: each[0] + 1 if by_channel else place for place, each in enumerate(speakers, start=1)}
    return {
        each: each[1] if names and not _NUMBERED.match(each[1]) else f"{word}-{number}"
        for each, number in numbers.items()
    }


def _shown(piece: _Piece, label: str, *, legacy_id: bool) -> dict[str, Any]:
    words = [
        {"word": text, "location": start, "duration": end - start}
        | ({} if confidence is None else {"confidence": round(confidence, 3)})
        for text, start, end, confidence in piece.words
    ]
    shown = {"id": label, "location": piece.start, "duration": piece.end - piece.start, "text": piece.text}
    return ({"Id": label} if legacy_id else {}) | shown | {"words": words}

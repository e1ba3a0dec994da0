"""Leaving out what an engine heard while nobody was being served: "Ignore MoH" (domain T19). Pure functions, no Django.

Works on normalised data: there the words stand in the text of their turn, in order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from core.transcripts import Segment, TranscriptData, Word

NOTE = "words during hold and waiting in the queue were left out"

Spans = Sequence[tuple[int, int]]


def without_quiet(data: TranscriptData, quiet: Spans) -> TranscriptData:
    """``data`` without the words whose middle lies in one of the ``quiet`` spans (milliseconds; they may overlap).

    A turn that goes on across a span becomes a turn before and one after it. A turn without word times is left out
    when its own middle lies in a span: nobody can say which of its words do.
    """
    segments = tuple(part for segment in data.segments for part in _outside(segment, quiet))
    if segments == data.segments:
        return data
    ordered = sorted(segments, key=lambda segment: (segment.start_ms, segment.channel, segment.end_ms))
    return replace(data, segments=tuple(ordered), warnings=(*data.warnings, NOTE))


def _outside(segment: Segment, quiet: Spans) -> Iterator[Segment]:
    if not segment.words:
        if not _is_quiet(segment.start_ms, segment.end_ms, quiet):
            yield segment
        return
    dropped = [_is_quiet(word.start_ms, word.end_ms, quiet) for word in segment.words]
    if not any(dropped):
        yield segment
        return
    starts = [*_places(segment), len(segment.text)]
    first = 0
    for number in range(len(dropped) + 1):
        if number == len(dropped) or dropped[number]:
            if first < number:
                # The first part keeps what stands before its first word, an opening quotation mark for example.
                begin = 0 if first == 0 else starts[first]
                yield _part(segment, segment.words[first:number], segment.text[begin : starts[number]])
            first = number + 1


def _part(segment: Segment, words: tuple[Word, ...], text: str) -> Segment:
    ends = max(word.end_ms for word in words)
    return msgspec.structs.replace(segment, start_ms=words[0].start_ms, end_ms=ends, text=text.strip(), words=words)


def _places(segment: Segment) -> Iterator[int]:
    """Where each word begins in the text of the turn."""
    cursor = 0
    for word in segment.words:
        found = segment.text.find(word.text, cursor)
        start = cursor if found < 0 else found
        yield start
        cursor = start + len(word.text)


def _is_quiet(start_ms: int, end_ms: int, quiet: Spans) -> bool:
    middle = (start_ms + end_ms) / 2
    return any(start <= middle < end for start, end in quiet)

"""Recordings in pieces: cut, each piece recognised, and one transcript made of what was heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from msgspec.structs import replace

from core.audio import UndecodableAudio
from core.audio.cutting import CutPlan, Piece, cut_audio
from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment
from transcription.engines.base import AudioSource

Recognise = Callable[[Piece], Awaitable[Sequence[Segment]]]


@asynccontextmanager
async def pieces_of(audio: AudioSource, plan: CutPlan) -> AsyncIterator[Sequence[Piece]]:
    """The pieces of a recording; their files are gone afterwards. Raises EngineError for audio that cannot be decoded."""
    cutting = cut_audio(audio.open(), plan)
    begun = asyncio.ensure_future(asyncio.to_thread(cutting.__enter__))
    try:
        pieces = await asyncio.shield(begun)
    except UndecodableAudio as error:
        raise EngineError(ErrorClass.INPUT, error.message, code=error.code) from error
    except asyncio.CancelledError:
        # The thread goes on to its end; what it made is removed then.
        begun.add_done_callback(lambda done: None if done.exception() else cutting.__exit__(None, None, None))
        raise
    try:
        yield pieces
    finally:
        cutting.__exit__(None, None, None)


async def recognised(pieces: Sequence[Piece], recognise: Recognise) -> tuple[Segment, ...]:
    """What ``recognise`` hears in each piece that is not silent, at its place in the recording.

    One piece after the other, so that a recording is one request at a time; the first error ends all.
    """
    heard = [_moved(segment, piece) for piece in pieces if not piece.silent for segment in await recognise(piece)]
    return tuple(sorted(heard, key=lambda segment: (segment.start_ms, segment.channel)))


def _moved(segment: Segment, piece: Piece) -> Segment:
    words = tuple(
        replace(word, start_ms=word.start_ms + piece.start_ms, end_ms=word.end_ms + piece.start_ms)
        for word in segment.words
    )
    channel = segment.channel if piece.channel is None else piece.channel
    start, end = segment.start_ms + piece.start_ms, segment.end_ms + piece.start_ms
    return replace(segment, channel=channel, start_ms=start, end_ms=end, words=words)

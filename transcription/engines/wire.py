"""What adapters over HTTP have in common: one guarded exchange whose troubles are EngineErrors, and audio in pieces."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import aiohttp

from core.outbound import Response, request, retry_after_s
from core.unreached import TROUBLES, unreached
from transcription.engines.base import AudioSource

# Pieces have at most 64 KiB.
PIECES_AT_ONCE = 16


async def exchange(session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> Response:
    """Send one request and give its answer, whatever its status. Raises EngineError when there is none to use."""
    with no_answer(session.timeout.total):
        return await request(session, method, url, **options)


@contextmanager
def no_answer(timeout_s: float | None) -> Iterator[None]:
    """Turns what the guard refuses and trouble of the network into EngineErrors."""
    try:
        yield
    except TROUBLES as error:
        raise unreached(error, timeout_s or 0) from error


async def pieces(audio: AudioSource) -> AsyncIterator[bytes]:
    """The audio's bytes; reading and decrypting block, so they happen in a thread, about a megabyte at a time."""
    opened: Iterator[bytes] | None = None

    def read() -> list[bytes]:
        nonlocal opened
        opened = opened or audio.open()
        return list(islice(opened, PIECES_AT_ONCE))

    while True:
        batch = await asyncio.to_thread(read)
        for piece in batch:
            yield piece
        if len(batch) < PIECES_AT_ONCE:
            return


def retry_after(response: Response) -> float | None:
    """What the answer's Retry-After says, in seconds; None where it says nothing usable."""
    return retry_after_s(response.headers)

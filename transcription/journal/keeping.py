"""Where the journal is kept: one capped list for each engine, beside the cache. Losing it costs nobody anything but the list."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings

from transcription.journal.calls import Call

logger = logging.getLogger(__name__)
MOST = 200
KEPT_S = 7 * 24 * 3600
# Calls that end within so many seconds are written together.
LINGER_S = 0.2
TIMEOUT_S = 1.0


class Journal:
    """What one adapter does, written beside its calls and never before their answers. Used within one event loop."""

    def __init__(self, engine_id: int) -> None:
        self._engine_id = engine_id
        self._calls: deque[bytes] = deque(maxlen=MOST)
        self._writing: asyncio.Task[None] | None = None

    def add(self, call: Call) -> None:
        """Note a call; it is written soon, at the latest by ``close``."""
        self._calls.append(call.packed())
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._soon())

    async def close(self) -> None:
        """Write what is left; twice is fine."""
        if self._writing is not None and not self._writing.done():
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self._write()

    async def _soon(self) -> None:
        while self._calls:
            await asyncio.sleep(LINGER_S)
            await self._write()

    async def _write(self) -> None:
        calls = list(self._calls)
        self._calls.clear()
        if calls:
            await asyncio.to_thread(keep, self._engine_id, calls)


def keep(engine_id: int, calls: Sequence[bytes]) -> None:
    """Put calls, the oldest first, before those that are there; of all, the newest are kept. One round trip."""
    key = key_of(engine_id)
    try:
        with _client().pipeline(transaction=False) as pipe:
            pipe.lpush(key, *calls)
            pipe.ltrim(key, 0, MOST - 1)
            pipe.expire(key, KEPT_S)
            pipe.execute()
    except (redis.RedisError, OSError) as error:
        logger.warning("The journal of engine %s could not be written: %s", engine_id, type(error).__name__)


def last_calls(engine_id: int, most: int = MOST) -> list[Call] | None:
    """The calls of an engine that ended last, by when they began, the newest first; None where they cannot be read now."""
    try:
        stored: Any = _client().lrange(key_of(engine_id), 0, most - 1)
    except (redis.RedisError, OSError):
        return None
    found = (Call.unpacked(row) for row in stored)
    return sorted((call for call in found if call is not None), key=lambda call: call.at, reverse=True)


def key_of(engine_id: int) -> str:
    """The name of the list."""
    return f"{settings.CACHES['default']['KEY_PREFIX']}:speech-calls:{engine_id}"


@lru_cache(maxsize=1)
def _client() -> "redis.Redis":
    """With time limits: a call is never held up by a cache that hangs."""
    address = settings.CACHES["default"]["LOCATION"]
    return redis.Redis.from_url(address, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

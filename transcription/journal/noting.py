"""Noting every verb of an engine. It is put on the finished adapter, so no engine type knows of it or can leave it out."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TypeVar

from core.outcomes import EngineError
from transcription.engines.base import AudioSource, Failed, SpeechEngine
from transcription.journal.calls import ENDED, OK, Call
from transcription.journal.keeping import Journal

Adapter = TypeVar("Adapter", bound=SpeechEngine)
# The verbs of an adapter and their names in the journal.
NOTED = {"open": "open", "submit": "submit", "poll": "poll", "fetch": "fetch", "find": "find", "cleanup": "cleanup"}
NOTED |= {"greet": "test"}
_RECORD: ContextVar[int | None] = ContextVar("journal_record", default=None)


def for_record(record_id: int) -> None:
    """The calls that this task makes from now on are made for the processing record."""
    _RECORD.set(record_id)


def noted(adapter: Adapter, journal: Journal) -> Adapter:
    """The same adapter, each verb of which leaves a line in the journal, whatever becomes of the call."""
    for verb, name in NOTED.items():
        setattr(adapter, verb, _noted(getattr(adapter, verb), name, journal))
    close = adapter.close

    async def closed() -> None:
        try:
            await close()
        finally:
            await journal.close()

    adapter.close = closed  # type: ignore[method-assign]
    return adapter


def _noted(call: Callable[..., Awaitable[Any]], name: str, journal: Journal) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(call)
    async def noting(*arguments: Any) -> Any:
        at, since = datetime.now(UTC), time.monotonic()
        outcome, code = ENDED, ""
        try:
            answer = await call(*arguments)
            outcome, code = _told(answer)
            return answer
        except EngineError as error:
            outcome, code = error.error_class.value, error.code
            raise
        except asyncio.CancelledError:
            raise
        except Exception as error:
            code = type(error).__name__
            raise
        finally:
            ms = round((time.monotonic() - since) * 1000)
            journal.add(Call(at, name, outcome, code, ms, _size(arguments), _RECORD.get()))

    return noting


def _told(answer: Any) -> tuple[str, str]:
    """A job that has failed is what its provider says of it."""
    if isinstance(answer, Failed):
        return answer.error.error_class.value, answer.error.code
    return OK, ""


def _size(arguments: tuple[Any, ...]) -> int | None:
    return next((given.size for given in arguments if isinstance(given, AudioSource)), None)

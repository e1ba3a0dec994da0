"""What a request goes through before it is sent. Pure."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aiassistant.engines.base import Usage


@dataclass(slots=True)
class Turn:
    """One request under way; ``usage`` is set once the engine has said what it took."""

    usage: Usage | None = None


class Entrance(Protocol):
    """An engine's door."""

    def turn(self, tokens: int, *, patient: bool = False) -> AbstractAsyncContextManager[Turn]:
        """An asynchronous context of one request; ``tokens`` are the most that it may take.

        ``patient``: the request belongs to an execution that has cost something already, so it waits as long as it takes.
        """
        ...


class Freely:
    """No bounds: for requests of people who look at the answer."""

    @asynccontextmanager
    async def turn(self, tokens: int, *, patient: bool = False) -> AsyncIterator[Turn]:
        """At once."""
        yield Turn()

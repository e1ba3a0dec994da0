"""A running server of each provider and an adapter that speaks to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from django.conf import settings

from core.outbound import OutboundPolicy
from core.outcomes import EngineError
from tests.engines.providers import PROVIDERS, Provider, listed
from tests.speechserver.conftest import Server
from transcription.engines.base import SpeechEngine
from transcription.registry import engine_types

Answer = TypeVar("Answer")
Work = Callable[[SpeechEngine], Awaitable[Answer]]


@dataclass
class Bench:
    """One engine type and a server of it."""

    kind: type[SpeechEngine]
    provider: Provider
    address: str

    def run(self, work: Work[Answer], *, policy: OutboundPolicy | None = None, **changes: Any) -> Answer:
        """Open an adapter, do the work, close it; ``changes`` go to the options."""
        options = self.provider.options(**changes)
        engine = self.kind(options, listed(changes.get("address", self.address)) if policy is None else policy)

        async def opened() -> Answer:
            await engine.open()
            try:
                return await work(engine)
            finally:
                await engine.close()
                await engine.close()

        return asyncio.run(opened())

    def error(self, work: Work[Any], *, policy: OutboundPolicy | None = None, **changes: Any) -> EngineError:
        """The error that the work ends with."""
        with pytest.raises(EngineError) as failed:
            self.run(work, policy=policy, **changes)
        return failed.value


@pytest.fixture(scope="package")
def reference_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The reference server with tone words."""
    server = Server(tmp_path_factory.mktemp("engines") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=sorted(settings.SPEECH_ENGINES))
def bench(request: pytest.FixtureRequest, reference_server: Server) -> Iterator[Bench]:
    """Each engine type of the settings in turn; faults are lifted afterwards."""
    kind = engine_types()[request.param]
    yield Bench(kind, PROVIDERS[request.param](kind, reference_server), reference_server.url)
    reference_server.control("DELETE", "/_emu/faults")

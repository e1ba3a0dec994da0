"""A running server of each provider and an adapter that speaks to it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from django.conf import settings

from core.outbound import OutboundPolicy
from core.outcomes import EngineError
from tests.engines.providers import Provider, listed
from tests.engines.standing_in import BUCKET, KEY, PASSWORD, STORAGE_KEY, StandIn
from tests.engines.vendors import PROVIDERS
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


def _stand_in(name: str, *arguments: str) -> Any:
    """The fixture of ``emulators.<name>`` with tone words, one process for all tests of the package."""

    @pytest.fixture(scope="package", name=f"{name}_server")
    def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
        server = StandIn(name, tmp_path_factory.mktemp(name) / "data", *arguments)
        yield server
        server.stop()

    return running


miaop_server = _stand_in("miaop", "--password", PASSWORD)
openai_server = _stand_in("openai", "--key", KEY)
deepgram_server = _stand_in("deepgram", "--key", KEY)
assemblyai_server = _stand_in("assemblyai", "--key", KEY)
speechmatics_server = _stand_in("speechmatics", "--key", KEY)
google_server = _stand_in("google", "--bucket", BUCKET)
azure_server = _stand_in("azure", "--key", KEY, "--storage-key", STORAGE_KEY, "--container", BUCKET)


# The fixture that gives the server of each engine type.
SERVERS = {
    "native_v2": "reference_server",
    "miaop": "miaop_server",
    "openai": "openai_server",
    "openai_compatible": "openai_server",
    "deepgram": "deepgram_server",
    "google": "google_server",
    "assemblyai": "assemblyai_server",
    "azure": "azure_server",
    "speechmatics": "speechmatics_server",
    "azure_fast": "azure_server",
}
# Further ways of engine types that have jobs in one way only: these are held to the contract without.
VARIANTS = {"azure_fast": "azure"}
WITH_JOBS = [key for key in sorted(settings.SPEECH_ENGINES) if engine_types()[key].has_jobs]
KEYS = sorted([*settings.SPEECH_ENGINES, *VARIANTS])
WITH_REFERENCES = [key for key in WITH_JOBS if engine_types()[key].keeps_references]
VERBS = ["submit", "poll", "fetch", "cleanup"]


def _bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind = engine_types()[VARIANTS.get(request.param, request.param)]
    server = request.getfixturevalue(SERVERS[request.param])
    provider = PROVIDERS[request.param](kind, server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


bench = pytest.fixture(_bench, name="bench")
jobs_bench = pytest.fixture(_bench, name="jobs_bench")
referring_bench = pytest.fixture(_bench, name="referring_bench")
answering_bench = pytest.fixture(_bench, name="answering_bench")

"""The same promises at the real service, or at any server: for each engine type whose settings the environment gives.

``PARLANCE_REAL_DEEPGRAM='{"api_key": "…"}'``, or ``@FILE`` with that JSON in it: the fields of the engine's form by their
names, for every type by its key in capitals. ``PARLANCE_REAL_ALLOWED`` lists addresses inside the network (``IP/32 PORT``,
separated by commas). What is sent there may be charged: one sentence of four seconds, three times.
"""

import asyncio
import ipaddress
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.conf import settings
from pydantic import SecretStr

from core.engines import Step
from core.outbound import AllowedTarget, OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from tests.engines.providers import ask_for
from tests.engines.standing_in import BUCKET, KEY, STORAGE_KEY, StandIn
from tests.engines.test_contract import ended
from tests.engines.vendors import STRANGER
from tests.speechserver.conftest import TOKEN, Server
from transcription.engines.base import Failed, Remote, SpeechEngine
from transcription.registry import engine_types
from transcription.testing import sample_audio

Answer = TypeVar("Answer")
PREFIX = "PARLANCE_REAL_"
WRONG = "wrong-key-of-a-test"


def given(key: str) -> dict[str, Any] | None:
    """The settings of one type from the environment."""
    text = os.environ.get(PREFIX + key.upper(), "")
    if text.startswith("@"):
        text = Path(text[1:]).read_text()
    return json.loads(text) if text else None


def policy() -> OutboundPolicy:
    """Public addresses, and those that are listed."""
    lines = [line.split() for line in os.environ.get(PREFIX + "ALLOWED", "").split(",") if line.strip()]
    return OutboundPolicy(frozenset(AllowedTarget(ipaddress.ip_network(net), int(port)) for net, port in lines))


class Real:
    """An engine type with the settings that were given."""

    def __init__(self, key: str) -> None:
        self.kind, self.settings = engine_types()[key], given(key) or {}

    def run(self, work: Callable[[SpeechEngine], Awaitable[Answer]], **changes: Any) -> Answer:
        """Open an adapter, do the work, close it."""
        engine = self.kind(self.kind.options_type(**{**self.settings, **changes}), policy())

        async def opened() -> Answer:
            await engine.open()
            try:
                return await work(engine)
            finally:
                await engine.close()

        return asyncio.run(opened())

    def wrong(self) -> dict[str, Any]:
        """The settings with each secret of the service replaced by one that looks like it."""
        if "credentials" in self.settings:
            key = json.loads(self.settings["credentials"])
            return {"credentials": json.dumps({**key, "private_key": STRANGER, "private_key_id": WRONG})}
        fields = self.kind.options_type.model_fields
        secrets = {name for name in self.settings if SecretStr in _types(fields[name].annotation)}
        return dict.fromkeys(secrets - {"storage_key"}, WRONG)


def _types(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


@pytest.fixture(params=sorted(settings.SPEECH_ENGINES))
def real(request) -> Real:
    """Each type whose settings are given; the others are skipped."""
    if given(request.param) is None:
        pytest.skip(f"{PREFIX}{request.param.upper()} is not set: no settings of a real service")
    return Real(request.param)


async def _transcript(engine: SpeechEngine) -> tuple[TranscriptData, Remote | None]:
    remote = await engine.submit(sample_audio(), ask_for(f"test-{time.time_ns()}"))
    if isinstance(remote, TranscriptData):
        return remote, None
    try:
        state = await ended(engine, remote, seconds=600)
        if isinstance(state, Failed):
            raise state.error
        return await engine.fetch(remote), remote
    finally:
        await engine.cleanup(remote)


@pytest.mark.timeout(900)
def test_test_connection_passes_at_a_real_service(real: Real):
    async def steps(engine: SpeechEngine) -> list[Step]:
        return [step async for step in engine.check(sample_audio())]

    done = [step for step in real.run(steps) if step.status == "ok"]
    assert [step.key for step in done] == ["settings", "upload", "wait", "cleanup"]
    assert done[2].text.strip()


@pytest.mark.timeout(900)
def test_a_recording_gives_words_within_its_length_and_is_gone_afterwards(real: Real):
    async def work(engine: SpeechEngine) -> tuple[TranscriptData, ErrorClass | None]:
        transcript, remote = await _transcript(engine)
        # Of Google, only v2 lets operations be deleted.
        if remote is None or getattr(engine.options, "api_version", "v2") != "v2":
            return transcript, None
        await engine.cleanup(remote)
        with pytest.raises(EngineError) as failed:
            await engine.poll(remote)
        return transcript, failed.value.error_class

    transcript, gone = real.run(work)
    assert gone in {None, ErrorClass.LOST}
    assert transcript.segments
    assert all(segment.text for segment in transcript.segments)
    words = [word for segment in transcript.segments for word in segment.words]
    assert all(0 <= word.start_ms <= word.end_ms <= sample_audio().duration_ms + 1000 for word in words)


def test_a_wrong_key_is_a_wrong_setting_at_a_real_service_and_is_not_quoted(real: Real):
    wrong = real.wrong()
    if not wrong:
        pytest.skip("the settings have no secret")
    with pytest.raises(EngineError) as failed:
        real.run(lambda engine: engine.submit(sample_audio(), ask_for(f"test-{time.time_ns()}")), **wrong)
    assert failed.value.error_class == ErrorClass.CONFIG
    assert WRONG not in f"{failed.value} {failed.value.message}"


@pytest.mark.parametrize("key", ["assemblyai", "azure", "deepgram", "google", "native_v2"])
def test_these_tests_run_against_what_the_environment_names(key: str, request, monkeypatch):
    """By the stand-ins, so that it is known to work before anybody pays for it."""
    server: StandIn | Server = request.getfixturevalue("reference_server" if key == "native_v2" else f"{key}_server")
    named = {
        "native_v2": {"server_address": server.url, "token": TOKEN},
        "azure": {
            "method": "batch",
            "endpoint": server.url,
            "api_key": KEY,
            "storage_account": "devstoreaccount1",
            "storage_container": BUCKET,
            "storage_key": STORAGE_KEY,
            "storage_endpoint": f"{server.url}/devstoreaccount1",
        },
    }.get(key, {"address": server.url, "api_key": KEY})
    if key == "google":
        assert isinstance(server, StandIn)
        places = {"endpoint": server.url, "storage_endpoint": server.url}
        credentials = Path(server.said["key_file"]).read_text()
        named = {**places, "bucket": BUCKET, "api_version": "v2", "model": "long", "credentials": credentials}
    monkeypatch.setenv(PREFIX + key.upper(), json.dumps(named))
    monkeypatch.setenv(PREFIX + "ALLOWED", f"127.0.0.1/32 {server.url.rsplit(':', 1)[1]}")
    real = Real(key)
    test_test_connection_passes_at_a_real_service(real)
    test_a_recording_gives_words_within_its_length_and_is_gone_afterwards(real)
    test_a_wrong_key_is_a_wrong_setting_at_a_real_service_and_is_not_quoted(real)

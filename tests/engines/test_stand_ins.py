"""What all stand-ins have beside their vendor's manners: chaos by seed, and a second ear for real speech."""

import http.client
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from emulators.chaos import Chaos, ChaosSettings, parse
from emulators.recogniser import Recogniser, Unheard
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import SERVERS, WITH_JOBS, Bench
from tests.engines.providers import LANGUAGE, ask_for, audio_of, words_of
from tests.engines.standing_in import BUCKET, KEY, PASSWORD, STORAGE_KEY, StandIn
from tests.engines.test_contract import ended
from tests.engines.vendors import PROVIDERS
from tests.speechserver.conftest import TOKEN, Server
from transcription.engines.base import AudioSource, Done, Pending, Remote
from transcription.registry import engine_types
from transcription.testing import SAMPLE, SAMPLE_MS

STAND_INS = sorted(set(SERVERS.values()) - {"reference_server"})
OWN_JOBS = sorted(set(WITH_JOBS) - {"native_v2"})
ANSWERING = ["azure_fast", "deepgram", "openai"]
BAD_DAY = {"throttle": 0.2, "errors": 0.2, "drop": 0.2, "garbage": 0.2, "retry_after_s": 3, "seed": 7}
TONES = audio_of(tone_wav([spoken("hello please hold", 300), spoken("my bill", 2500)]))


@pytest.fixture
def stand_in(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    server = request.getfixturevalue(request.param)
    yield server
    server.control("DELETE", "/_emu/chaos")


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind = engine_types()["azure" if request.param == "azure_fast" else request.param]
    server = request.getfixturevalue(SERVERS[request.param])
    provider = PROVIDERS[request.param](kind, server)
    yield Bench(kind, provider, provider.address)
    server.control("DELETE", "/_emu/chaos")


def fate(server: StandIn) -> str:
    """How one request ends: its status with what it says of waiting, garbage, or that the connection was cut."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request("GET", "/nothing-that-is-there")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            return "garbage" if body.startswith(b"<html>") else "answered"
        return f"{answer.status} {answer.headers.get('Retry-After', '')}".strip()
    except (ConnectionError, http.client.HTTPException):
        return "cut"
    finally:
        connection.close()


@pytest.mark.parametrize("stand_in", STAND_INS, indirect=True)
def test_what_goes_wrong_follows_from_the_seed_until_it_is_lifted(stand_in: StandIn) -> None:
    usual = fate(stand_in)

    def day(seed: int) -> list[str]:
        stand_in.control("POST", "/_emu/chaos", {**BAD_DAY, "seed": seed})
        return [fate(stand_in) for _request in range(40)]

    first, again, other = day(7), day(7), day(8)
    done = stand_in.control("GET", "/_emu/chaos")["done"]
    assert first == again
    assert first != other
    assert {"429 3", "500", "503", "cut", "garbage", usual} <= {*first, *other}
    assert {"throttle": other.count("429 3"), "drop": other.count("cut")}.items() <= done.items()

    stand_in.control("DELETE", "/_emu/chaos")
    assert {fate(stand_in) for _request in range(10)} == {usual}
    assert [entry.get("chaos") for entry in stand_in.journal()[-10:]] == [None] * 10


@pytest.mark.parametrize("bench", OWN_JOBS, indirect=True)
def test_a_stuck_job_stays_in_progress_until_chaos_is_lifted(bench: Bench) -> None:
    control = bench.provider.server.control  # type: ignore[attr-defined]

    async def work(engine: Any) -> None:
        control("POST", "/_emu/chaos", {"stuck": 1})
        remote = await engine.submit(TONES, ask_for("stuck"))
        assert isinstance(remote, Remote)
        # So long would any other job of this length not take.
        assert isinstance(await engine.poll(remote), Pending)
        assert isinstance(await engine.poll(remote), Pending)
        control("DELETE", "/_emu/chaos")
        assert isinstance(await ended(engine, remote), Done)
        await engine.cleanup(remote)

    bench.provider.server.control("DELETE", "/_emu/faults")  # type: ignore[attr-defined]
    bench.run(work)


@pytest.mark.parametrize("bench", ANSWERING, indirect=True)
def test_a_stuck_answer_is_a_timeout_and_the_next_one_comes(bench: Bench) -> None:
    control = bench.provider.server.control  # type: ignore[attr-defined]
    control("POST", "/_emu/chaos", {"stuck": 1})
    failed = bench.error(lambda engine: engine.submit(TONES, ask_for("stuck")), request_timeout_s=1)
    assert failed.error_class is ErrorClass.TRANSIENT
    control("DELETE", "/_emu/chaos")
    transcript = bench.run(lambda engine: engine.submit(TONES, ask_for("stuck")))
    assert words_of(transcript, 0) == ["hello", "please", "hold"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"errors": 1.5}, "errors"),
        ({"slow_ms": -1}, "slow_ms"),
        ({"eror": 0.1}, "eror"),
        ({"errors": 0.6, "drop": 0.6}, "more than 1"),
        ({"throttle": "often"}, "throttle"),
    ],
)
def test_settings_out_of_range_are_refused_by_name_and_nothing_changes(
    deepgram_server: StandIn, settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        deepgram_server.control("POST", "/_emu/chaos", settings)
    with refused.value as answer:
        assert named in json.loads(answer.read())["detail"]
    assert deepgram_server.control("GET", "/_emu/chaos")["settings"] == ChaosSettings().model_dump()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("errors=2", "errors: "),
        ("eror=0.1", "eror: no such setting"),
        ("errors", "errors: write"),
        ("errors=0.1,errors=0.2", "errors=0.2: write"),
        ("drop=nan", "drop: "),
        ("errors=0.7,drop=0.7", "more than 1"),
    ],
)
def test_a_command_line_of_chaos_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse(text)


def test_a_command_line_of_chaos_is_read() -> None:
    found = parse("errors=0.1, throttle=0.2,slow_ms=800")
    assert (found.errors, found.throttle, found.slow_ms, found.slow) == (0.1, 0.2, 800, 1.0)


def test_shares_are_shares_and_slow_goes_with_everything(tmp_path: Path) -> None:
    chaos = Chaos(tmp_path / "chaos.json")
    chaos.change(ChaosSettings(throttle=0.25, stuck=0.25, slow=0.5, slow_ms=40, seed=3))
    fates = [chaos.draw() for _request in range(4000)]
    slow = [fate for fate in fates if fate is not None and fate.fault.delay_ms == 40]
    assert 900 < chaos.done["throttle"] < 1100
    assert 900 < chaos.done["stuck"] < 1100
    assert 1850 < len(slow) < 2150
    assert {fate.name for fate in slow} == {"throttle", "stuck", "slow"}
    assert 900 < fates.count(None) < 1100


@pytest.mark.parametrize(("name", "arguments"), [("deepgram", ["--key", KEY]), ("google", ["--bucket", BUCKET])])
def test_a_restart_keeps_chaos_and_the_key(tmp_path: Path, name: str, arguments: list[str]) -> None:
    first = StandIn(name, tmp_path, *arguments)
    first.control("POST", "/_emu/chaos", {"errors": 1})
    key = Path(first.said["key_file"]).read_text() if "key_file" in first.said else ""
    first.stop()
    second = StandIn(name, tmp_path, *arguments)
    try:
        assert fate(second)[0] == "5"
        assert not key or Path(second.said["key_file"]).read_text() == key
    finally:
        second.stop()


# -- the second ear ---------------------------------------------------------------------------------------------

ARGUMENTS = {
    "miaop": ["--password", PASSWORD],
    "google": ["--bucket", BUCKET],
    "azure": ["--key", KEY, "--storage-key", STORAGE_KEY, "--container", BUCKET],
}


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A speech server that recognises English."""
    server = Server(tmp_path_factory.mktemp("recogniser") / "data", ["--recogniser", "pocketsphinx"])
    server.start()
    yield server
    server.stop()


def listening(name: str, data: Path, recogniser: Server) -> StandIn:
    """A stand-in with a second ear; its arguments are read from a file, as keys should be."""
    key_file = recogniser.data.parent / "tokens"
    lines = [*ARGUMENTS.get(name, ["--key", KEY]), "--recogniser", recogniser.url]
    data.mkdir()
    (data / "arguments").write_text("\n".join([*lines, "--recogniser-key-file", str(key_file)]))
    return StandIn(name, data, f"@{data / 'arguments'}")


def sample() -> AudioSource:
    content = SAMPLE.read_bytes()
    return AudioSource("sample.ogg", "audio/ogg", len(content), SAMPLE_MS, 1, lambda: iter([content]))


async def heard(engine: Any) -> TranscriptData:
    remote = await engine.submit(sample(), ask_for("speech", LANGUAGE))
    if isinstance(remote, TranscriptData):
        return remote
    assert isinstance(await ended(engine, remote, 60), Done)
    transcript: TranscriptData = await engine.fetch(remote)
    await engine.cleanup(remote)
    return transcript


@pytest.mark.parametrize("key", sorted(set(SERVERS) - {"native_v2", "openai_compatible"}))
def test_real_speech_is_told_by_the_recogniser_and_written_nowhere(
    tmp_path: Path, recogniser: Server, key: str
) -> None:
    name = SERVERS[key].removesuffix("_server")
    server = listening(name, tmp_path / "data", recogniser)
    kind = engine_types()["azure" if key == "azure_fast" else key]
    provider = PROVIDERS[key](kind, server)
    try:
        transcript = Bench(kind, provider, provider.address).run(heard)
        journal = server.journal()
    finally:
        server.stop()
    words = words_of(transcript, 0)
    assert " ".join(words) == "this is a test of the speech service everything is working"
    assert 0 <= transcript.segments[0].start_ms < transcript.segments[-1].end_ms < 4000
    assert not any(entry.get("text") for entry in journal)
    assert TOKEN not in json.dumps(journal)
    assert recogniser.call("GET", "/v2/transcriptions").json["items"] == [], "nothing stays at the recogniser"


def test_without_a_recogniser_speech_becomes_word_slots_and_tone_words_never_ask_one(
    tmp_path: Path, deepgram_server: StandIn, recogniser: Server
) -> None:
    kind = engine_types()["deepgram"]
    alone = PROVIDERS["deepgram"](kind, deepgram_server)
    assert set(words_of(Bench(kind, alone, alone.address).run(heard), 0)) == {"sound"}

    asked = len(recogniser.control("GET", "/_emu/journal")["entries"])
    server = listening("deepgram", tmp_path / "data", recogniser)
    provider = PROVIDERS["deepgram"](kind, server)
    try:
        transcript = Bench(kind, provider, provider.address).run(lambda engine: engine.submit(TONES, ask_for("tones")))
    finally:
        server.stop()
    assert words_of(transcript, 1) == ["my", "bill"]
    assert len(recogniser.control("GET", "/_emu/journal")["entries"]) == asked


def test_a_recogniser_that_refuses_makes_an_error_of_the_server_and_no_transcript(
    tmp_path: Path, recogniser: Server
) -> None:
    server = listening("deepgram", tmp_path / "data", recogniser)
    kind = engine_types()["deepgram"]
    provider = PROVIDERS["deepgram"](kind, server)
    recogniser.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "status": 401})
    try:
        with pytest.raises(EngineError) as failed:
            Bench(kind, provider, provider.address).run(heard)
    finally:
        server.stop()
    assert failed.value.error_class is ErrorClass.TRANSIENT


def test_the_same_recording_is_recognised_once_however_often_it_is_asked_for(recogniser: Server) -> None:
    ear = Recogniser(recogniser.url, recogniser.data.parent / "tokens")
    before = len(recogniser.control("GET", "/_emu/journal")["entries"])
    first = ear.hear(SAMPLE.read_bytes(), channels=1, mix=False)
    once = len(recogniser.control("GET", "/_emu/journal")["entries"])
    assert ear.hear(SAMPLE.read_bytes(), channels=1, mix=False) == first
    assert len(recogniser.control("GET", "/_emu/journal")["entries"]) == once > before


@pytest.mark.parametrize("address", ["https://127.0.0.1:1", "ftp://h", "8600"])
def test_a_recogniser_elsewhere_than_by_http_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT"):
        Recogniser(address, None)


def test_an_answer_that_is_no_result_is_no_transcript(recogniser: Server) -> None:
    ear = Recogniser(recogniser.url, recogniser.data.parent / "tokens")
    recogniser.control("POST", "/_emu/faults", {"match": {"method": "POST"}, "status": 202, "body": {"id": "../x"}})
    with pytest.raises(Unheard):
        ear.hear(b"RIFF", channels=1, mix=False)

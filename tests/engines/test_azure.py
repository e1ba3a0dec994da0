"""Azure by each method: what is asked of the service, what is refused beforehand, and that nothing passes the guard."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import ask_for, audio_of, words_of
from tests.engines.standing_in import KEY, STORAGE_KEY, StandIn
from tests.engines.vendors import AzureFastProvider, AzureProvider
from tests.polling import until
from transcription.engines.azure.answers import plain
from transcription.engines.azure.jobs import Placed
from transcription.engines.azure.options import AzureOptions
from transcription.engines.base import AudioSource, Done, Pending, Remote, SpeechEngine
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
CALL = audio_of(tone_wav([spoken(AGENT, 300), spoken(CUSTOMER, 3000)]))
MONO_WAV = tone_wav([spoken(AGENT, 300) + spoken(CUSTOMER, 4000)])
MONO = AudioSource("call.wav", "audio/wav", len(MONO_WAV), 7000, 1, lambda: iter([MONO_WAV]))
PLACE = {"region": "westeurope"}


@pytest.fixture
def bench(azure_server: StandIn) -> Iterator[Bench]:
    """The engine type and its stand-in."""
    kind = engine_types()["azure"]
    provider = AzureFastProvider(kind, azure_server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


def heard(bench: Bench, audio: AudioSource, **changes: Any) -> TranscriptData:
    """By fast transcription."""

    async def work(engine: SpeechEngine) -> TranscriptData:
        transcript = await engine.submit(audio, ask_for("azure-1"))
        assert isinstance(transcript, TranscriptData)
        return transcript

    return bench.run(work, **changes)


def asked_of(server: StandIn) -> dict[str, Any]:
    """The definition of the last request."""
    definition: dict[str, Any] = server.requests("/speechtotext/transcriptions:transcribe")[-1]["definition"]
    return definition


def test_fast_asks_for_both_channels_of_stereo_and_for_speakers_of_one_channel(bench: Bench, azure_server: StandIn):
    heard(bench, CALL, candidate_languages="he-IL")
    assert asked_of(azure_server) == {
        "locales": ["en-US", "he-IL"],
        "profanityFilterMode": "None",
        "channels": [0, 1],
    }
    transcript = heard(bench, MONO, max_speakers=4, profanity="Masked")
    assert asked_of(azure_server)["diarization"] == {"maxSpeakers": 4}
    assert asked_of(azure_server)["profanityFilterMode"] == "Masked"
    assert [segment.speaker for segment in transcript.segments] == ["1", "2"]


def test_fast_takes_punctuation_off_where_it_is_not_wanted(bench: Bench):
    assert heard(bench, CALL).segments[0].text == "Hello please hold the line."
    segment = heard(bench, CALL, punctuate=False).segments[0]
    assert segment.text == AGENT
    assert [word.text for word in segment.words] == AGENT.split()
    assert plain("“Don't!”, she said — twice-told *** ¿Qué?") == "don't she said twice-told *** qué"


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        (replace(CALL, size=2 * 1024 * 1024 + 1), "too_large"),
        (replace(CALL, duration_ms=3 * 60_000 + 1), "too_long"),
    ],
)
def test_fast_refuses_what_is_beyond_its_limits_before_it_is_sent(bench: Bench, azure_server: StandIn, audio, code):
    before = len(azure_server.journal())
    error = bench.error(lambda engine: engine.submit(audio, ask_for("1")), fast_max_megabytes=2, fast_max_minutes=3)
    assert (error.error_class, error.code) == (ErrorClass.INPUT, code)
    assert len(azure_server.journal()) == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"code": "429", "message": "Rate limit is exceeded."}}, "HTTP 429 429 Rate limit is exceeded."),
        (
            {
                "code": "TooManyRequests",
                "message": "Many.",
                "innerError": {"code": "QuotaViolation", "message": "Quota."},
            },
            "HTTP 429 QuotaViolation Quota.",
        ),
    ],
)
def test_both_shapes_of_refusals_are_read_and_the_hint_of_seconds_is_kept(bench: Bench, azure_server, body, words):
    bench.provider.answer("submit", 429, body, {"Retry-After": "11"})
    before = len(azure_server.journal())
    error = bench.error(lambda engine: engine.submit(CALL, ask_for("1")))
    assert (error.error_class, error.retry_after, error.message) == (ErrorClass.RATE, 11.0, words)
    assert len(azure_server.journal()) == before + 1, "the SDK repeats nothing by itself"


def test_no_request_leaves_past_the_guard(bench: Bench, monkeypatch):
    def refuse(*_given: Any, **_named: Any) -> None:
        raise AssertionError("the SDK made a connection of its own")

    monkeypatch.setattr("azure.core.pipeline.transport._aiohttp.AioHttpTransport.open", refuse)
    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool.urlopen", refuse)
    assert words_of(heard(bench, CALL), 1) == CUSTOMER.split()


BATCH = {"method": "batch", "storage_account": "calls", "storage_container": "calls", "storage_key": STORAGE_KEY}


@pytest.fixture
def batch(azure_server: StandIn) -> Iterator[Bench]:
    """Batch transcription."""
    kind = engine_types()["azure"]
    provider = AzureProvider(kind, azure_server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


async def ended(engine: SpeechEngine, audio: AudioSource, reference: str) -> Remote:
    """A job that has ended."""
    remote = await engine.submit(audio, ask_for(reference))
    assert isinstance(remote, Remote)
    while isinstance(state := await engine.poll(remote), Pending):
        assert state.check_after_s == 1.0, "the provider's hint"
        await asyncio.sleep(0.05)
    assert state == Done()
    return remote


def there(server: StandIn) -> tuple[int, list[str]]:
    """How many jobs are at the provider, and its blobs."""
    held = server.control("GET", "/_emu/jobs")
    return len(held["jobs"]), held["blobs"]


def test_batch_leaves_neither_job_nor_blob_behind_and_sends_the_key_to_no_result(batch: Bench, azure_server: StandIn):
    jobs, before = there(azure_server)[0], len(azure_server.journal())

    async def work(engine: SpeechEngine) -> TranscriptData:
        remote = await ended(engine, MONO, "azure-left")
        assert there(azure_server)[0] == jobs + 1
        assert "stt/azure-left" in there(azure_server)[1]
        transcript = await engine.fetch(remote)
        await engine.cleanup(remote)
        return transcript

    transcript = batch.run(work)
    assert [(segment.speaker, segment.text) for segment in transcript.segments] == [
        ("1", "Hello please hold the line."),
        ("2", "My bill is too high."),
    ]
    assert (transcript.segments[0].words[0].text, transcript.language) == ("Hello", "en-US")
    assert there(azure_server)[0] == jobs
    assert "stt/azure-left" not in there(azure_server)[1]
    wish = next(entry["wish"] for entry in azure_server.journal()[before:] if "wish" in entry)
    assert wish["customProperties"] == {"parlance": "azure-left", "blob": "stt/azure-left"}
    assert wish["properties"]["diarization"] == {"enabled": True, "maxSpeakers": 2}


def test_a_job_that_succeeded_with_a_failed_recording_is_a_failure_in_the_reports_words(batch: Bench):
    no_audio = audio_of(b"this is no sound at all, whatever its name says")

    async def work(engine: SpeechEngine) -> Any:
        remote = await ended(engine, no_audio, "azure-failed")
        with pytest.raises(EngineError) as failed:
            await engine.fetch(remote)
        await engine.cleanup(remote)
        return failed.value

    error = batch.run(work)
    assert (error.error_class, error.code) == (ErrorClass.INPUT, "InvalidAudioFormat")
    assert "could not be decoded" in error.message


def test_a_refused_job_leaves_no_blob_and_a_lost_answer_makes_no_second_job(batch: Bench, azure_server: StandIn):
    before = there(azure_server)[0]
    error = batch.error(lambda engine: engine.submit(CALL, ask_for("azure-refused", "xx-YY")))
    assert (error.error_class, error.code) == (ErrorClass.INPUT, "InvalidLocale")
    assert "stt/azure-refused" not in there(azure_server)[1]
    azure_server.fault(match=batch.provider.verbs["submit"], accept_then_drop=True)
    assert batch.error(lambda engine: engine.submit(CALL, ask_for("azure-cut"))).error_class == ErrorClass.TRANSIENT
    assert there(azure_server)[0] == before + 1

    async def again(engine: SpeechEngine) -> None:
        found = (await engine.find({"azure-cut"}))["azure-cut"]
        assert [await engine.submit(CALL, ask_for("azure-cut"))] == found
        await engine.cleanup(found[0])

    batch.run(again)
    assert there(azure_server)[0] == before


def test_a_job_of_batch_is_followed_and_deleted_when_the_method_has_been_changed(batch: Bench, azure_server: StandIn):
    remote = batch.run(lambda engine: ended(engine, CALL, "azure-changed"))

    async def finish(engine: SpeechEngine) -> TranscriptData:
        transcript = await engine.fetch(remote)
        await engine.cleanup(remote)
        return transcript

    assert words_of(batch.run(finish, method="fast"), 1) == CUSTOMER.split()
    assert "stt/azure-changed" not in there(azure_server)[1]


def test_an_address_in_the_services_words_is_left_out(batch: Bench, azure_server: StandIn):
    words = "The recordings URI HTTPS://calls.example/x/stt-audio/signed/call.wav could not be accessed."
    body = {"error": {"code": "InvalidUri", "message": words}}
    azure_server.fault(match=batch.provider.verbs["submit"], status=400, body=body)
    error = batch.error(lambda engine: engine.submit(CALL, ask_for("azure-quoted")))
    assert error.message == "HTTP 400 InvalidUri The recordings URI <address> could not be accessed."


def test_a_large_recording_is_uploaded_in_blocks(batch: Bench, azure_server: StandIn, monkeypatch):
    monkeypatch.setattr("transcription.engines.azure.storage.BLOCK_BYTES", 64 * 1024)
    before = len(azure_server.journal())

    async def work(engine: SpeechEngine) -> TranscriptData:
        remote = await ended(engine, CALL, "azure-blocks")
        transcript = await engine.fetch(remote)
        await engine.cleanup(remote)
        return transcript

    assert words_of(batch.run(work), 0) == AGENT.split()
    sent = [entry["bytes"] for entry in azure_server.journal()[before:] if entry["query"].get("comp") == "block"]
    assert len(sent) >= 2
    assert max(sent) == 64 * 1024


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"storage_container": "nobody-has-it"}, "ContainerNotFound"),
        ({"storage_key": "b3RoZXI="}, "AuthenticationFailed"),
    ],
)
def test_a_wrong_container_and_a_wrong_storage_key_are_wrong_settings(batch: Bench, change, code):
    error = batch.error(lambda engine: engine.submit(CALL, ask_for("azure-wrong")), **change)
    assert (error.error_class, error.code) == (ErrorClass.CONFIG, code)

    async def steps(engine: SpeechEngine) -> Any:
        return [step async for step in engine.check(CALL)]

    assert batch.error(steps, **change).code == code


SDK = {"method": "sdk", "diarize": False}


def sessions(server: StandIn) -> list[dict[str, Any]]:
    """The sessions of the Speech SDK so far."""
    return server.requests("/speech/recognition/conversation/cognitiveservices/v1")


def test_sdk_hears_each_channel_in_a_session_of_its_own_and_each_word_once(bench: Bench, azure_server: StandIn):
    before = len(sessions(azure_server))
    transcript = heard(bench, CALL, **SDK)
    assert (words_of(transcript, 0), words_of(transcript, 1)) == (AGENT.split(), CUSTOMER.split())
    assert [segment.text for segment in transcript.segments] == [
        "Hello please hold the line.",
        "My bill is too high.",
    ]
    starts = [segment.words[0].start_ms for segment in transcript.segments]
    assert [abs(found - said) <= 60 for found, said in zip(starts, (300, 3000), strict=True)] == [True, True]
    until(lambda: len(sessions(azure_server)) == before + 2)
    assert [entry["text"] for entry in sessions(azure_server)[before:]] == [AGENT, CUSTOMER]


def test_sdk_sends_nothing_of_silence_and_takes_punctuation_off(bench: Bench, azure_server: StandIn):
    before = len(sessions(azure_server))
    assert heard(bench, audio_of(tone_wav([[], []], duration_ms=3000)), **SDK).segments == ()
    assert len(sessions(azure_server)) == before
    assert heard(bench, MONO, punctuate=False, **SDK).segments[0].text == AGENT


@pytest.mark.parametrize(
    ("status", "error_class"),
    [(401, ErrorClass.CONFIG), (429, ErrorClass.RATE), (503, ErrorClass.TRANSIENT)],
)
def test_what_the_service_tells_the_sdk_is_told_apart(bench: Bench, azure_server: StandIn, status, error_class):
    # The SDK itself tries five times.
    azure_server.fault(match={"path_prefix": "/speech/"}, status=status, times=5)
    error = bench.error(lambda engine: engine.submit(MONO, ask_for("1")), **SDK)
    assert error.error_class == error_class
    assert KEY not in error.message


def test_a_language_that_the_sdks_service_does_not_have_fails_as_input(bench: Bench):
    error = bench.error(lambda engine: engine.submit(MONO, ask_for("1", "xx-YY")), **SDK)
    assert error.error_class == ErrorClass.INPUT


def test_the_sdk_is_not_begun_for_an_address_that_is_not_listed(bench: Bench, azure_server: StandIn):
    before = len(sessions(azure_server))
    error = bench.error(lambda engine: engine.submit(MONO, ask_for("1")), policy=OutboundPolicy(), **SDK)
    assert (error.error_class, error.code) == (ErrorClass.CONFIG, "address_refused")
    assert len(sessions(azure_server)) == before


def test_a_session_that_says_nothing_is_given_up_after_its_limit(bench: Bench, azure_server: StandIn, monkeypatch):
    monkeypatch.setattr("transcription.engines.azure.streaming.LIMIT_FACTOR", 0.0)
    monkeypatch.setattr("transcription.engines.azure.streaming.LIMIT_EXTRA_S", 0.05)
    azure_server.fault(match={"path_prefix": "/speech/"}, delay_ms=1000)
    error = bench.error(lambda engine: engine.submit(MONO, ask_for("1")), **SDK)
    assert (error.error_class, error.code) == (ErrorClass.TRANSIENT, "timeout")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"diarize": True}, "diarize"), ({"ssl_verify": False}, "ssl_verify"), ({"profanity": "Tags"}, "profanity")],
)
def test_what_the_sdk_cannot_do_is_refused_when_saved_by_field(wrong: dict[str, Any], field: str):
    with pytest.raises(ValidationError, match="diarize"):
        AzureOptions(**PLACE, method="sdk")
    assert AzureOptions(**PLACE, **SDK).streaming_address == "https://westeurope.stt.speech.microsoft.com"
    with pytest.raises(ValidationError) as refused:
        AzureOptions(**{**PLACE, **SDK, **wrong})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"offsetMilliseconds": 760, "durationMilliseconds": 500, "offsetInTicks": 1}, (760, 1260)),
        ({"offsetInTicks": 7600000.0, "durationInTicks": -5.0}, (760, 760)),
        ({"offset": "PT1M0.76S", "duration": "PT0.5S"}, (60_760, 61_260)),
    ],
)
def test_times_are_read_in_each_form_and_a_word_never_ends_before_it_begins(place: dict[str, Any], expected):
    assert Placed.model_validate(place).span == expected


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"storage_account": ""}, "storage_account"),
        ({"storage_container": ""}, "storage_container"),
        ({"storage_key": None}, "storage_key"),
        ({"storage_key": "no base64!"}, "storage_key"),
        ({"storage_prefix": "../up"}, "storage_prefix"),
        ({"storage_endpoint": "https://h/?a=b"}, "storage_endpoint"),
    ],
)
def test_batch_needs_storage_and_says_which_field_is_wrong(wrong: dict[str, Any], field: str):
    assert AzureOptions(**PLACE, **BATCH).storage_address == "https://calls.blob.core.windows.net"
    with pytest.raises(ValidationError) as refused:
        AzureOptions(**{**PLACE, **BATCH, **wrong})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"region": ""}, "endpoint"),
        ({"endpoint": "https://speech.example.com"}, "endpoint"),
        ({"region": "", "endpoint": "https://speech.example.com/speechtotext"}, "endpoint"),
        ({"region": "west/europe"}, "region"),
        ({"candidate_languages": "klingon?"}, "candidate_languages"),
        ({"candidate_languages": ",".join(f"en-A{letter}" for letter in "ABCDEFGHIJ")}, "candidate_languages"),
        ({"max_speakers": 36}, "max_speakers"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_saved_by_field(wrong: dict[str, Any], field: str):
    assert AzureOptions(**PLACE).address == "https://westeurope.api.cognitive.microsoft.com"
    with pytest.raises(ValidationError) as refused:
        AzureOptions(**{**PLACE, **wrong})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]

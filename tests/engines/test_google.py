"""Google in its three versions: by a bucket and in pieces, one channel and two, keys that are none, and what is deleted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.outcomes import ErrorClass
from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import ask_for, audio_of, words_of
from tests.engines.standing_in import BUCKET, StandIn
from tests.engines.vendors import GoogleProvider
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, SpeechEngine
from transcription.engines.google.options import GoogleOptions
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
CALL = audio_of(tone_wav([spoken(AGENT, 300), spoken(CUSTOMER, 3000)]))
MONO_WAV = tone_wav([spoken(AGENT, 300) + spoken(CUSTOMER, 4000)])
MONO = AudioSource("call.wav", "audio/wav", len(MONO_WAV), 7000, 1, lambda: iter([MONO_WAV]))
LONG = audio_of(tone_wav([spoken(AGENT, 300) + spoken(CUSTOMER, 70_000), []], duration_ms=80_000))
VERSIONS = [("v1p1beta1", "phone_call"), ("v1", "latest_long"), ("v2", "telephony")]


@pytest.fixture
def bench(google_server: StandIn) -> Iterator[Bench]:
    """The engine type and its stand-in."""
    kind = engine_types()["google"]
    provider = GoogleProvider(kind, google_server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


async def heard(engine: SpeechEngine, audio: AudioSource, reference: str = "google-1") -> TranscriptData:
    """The transcript, and everything deleted at the vendor."""
    remote = await engine.submit(audio, ask_for(reference))
    if isinstance(remote, TranscriptData):
        return remote
    while isinstance(state := await engine.poll(remote), Pending):
        assert state.progress is None or 0 <= state.progress <= 100
    if isinstance(state, Failed):
        raise state.error
    assert state == Done()
    transcript = await engine.fetch(remote)
    await engine.cleanup(remote)
    return transcript


def test_a_hand_over_asks_only_for_what_it_needs_and_nothing_behind_our_back(bench: Bench, google_server: StandIn):
    before = len(google_server.journal())
    bench.run(lambda engine: engine.submit(CALL, ask_for("asked-for")))
    asked = [entry["path"].partition("/b/")[0] for entry in google_server.journal()[before:]]
    assert [path.rpartition(":")[2] for path in asked] == ["/upload/storage/v1", "batchRecognize"]


@pytest.mark.parametrize("bucket", [BUCKET, ""])
@pytest.mark.parametrize(("version", "model"), VERSIONS)
def test_both_channels_come_back_with_words_and_times_in_every_version(bench: Bench, version, model, bucket):
    transcript = bench.run(lambda engine: heard(engine, CALL), api_version=version, model=model, bucket=bucket)
    assert (words_of(transcript, 0), words_of(transcript, 1)) == (AGENT.split(), CUSTOMER.split())
    starts = [segment.words[0].start_ms for segment in transcript.segments]
    assert [abs(found - said) <= 60 for found, said in zip(starts, (300, 3000), strict=True)] == [True, True]


@pytest.mark.parametrize(("version", "model"), [VERSIONS[0], VERSIONS[2]])
def test_in_a_recording_of_one_channel_speakers_are_told_apart_and_nothing_is_said_twice(bench: Bench, version, model):
    transcript = bench.run(lambda engine: heard(engine, MONO), api_version=version, model=model)
    assert [(segment.speaker, len(segment.words)) for segment in transcript.segments] == [("1", 5), ("2", 5)]
    assert words_of(transcript, 0) == [*AGENT.split(), *CUSTOMER.split()]


def test_without_a_bucket_long_recordings_are_sent_in_pieces_of_less_than_a_minute(
    bench: Bench, google_server: StandIn
):
    before = len(google_server.journal())
    transcript = bench.run(lambda engine: heard(engine, LONG), bucket="")
    sent = [entry for entry in google_server.journal()[before:] if "audioMs" in entry]
    assert [entry["text"] for entry in sent] == [AGENT, CUSTOMER], "the silent channel is not sent"
    assert max(entry["audioMs"] for entry in sent) <= 55_000
    assert transcript.segments[1].start_ms >= 69_900


def test_the_object_has_our_reference_as_its_name_and_is_deleted_with_the_operation(
    bench: Bench, google_server: StandIn
):
    before = len(google_server.journal())
    bench.run(lambda engine: heard(engine, CALL, "parlance-7-1"))
    done = google_server.journal()[before:]
    assert [entry["object"] for entry in done if "object" in entry] == ["stt/parlance-7-1.flac"]
    deleted = [entry["path"] for entry in done if entry["method"] == "DELETE" and entry["status"] in (200, 204)]
    assert [path.split("/")[1] for path in deleted] == ["storage", "v2"]


def test_a_recording_of_many_megabytes_is_uploaded_in_chunks(bench: Bench, google_server: StandIn, monkeypatch):
    monkeypatch.setattr("transcription.engines.google.engine.UPLOAD_CHUNK_BYTES", 256 * 1024)
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 1)
    before = len(google_server.journal())
    wav = tone_wav([spoken("one two three four five " * 30, 0), spoken("six seven " * 60, 0)], 44_100)
    transcript = bench.run(lambda engine: heard(engine, audio_of(wav)))
    chunks = [entry["status"] for entry in google_server.journal()[before:] if entry["method"] == "PUT"]
    assert len(chunks) >= 3
    assert set(chunks[:-1]) == {308}
    assert chunks[-1] == 200
    assert len(words_of(transcript, 0)) == 150


def test_an_operation_that_failed_is_the_inputs_fault_and_one_that_expired_is_lost(bench: Bench):
    name = "projects/test-project/locations/global/operations/0a"

    async def poll(engine: SpeechEngine) -> Any:
        return await engine.poll(Remote(f"{name}@stt/a.flac"))

    bench.provider.answer("poll", 200, {"name": name, "done": True, "error": {"code": 3, "message": "Bad audio."}})
    state = bench.run(poll)
    assert isinstance(state, Failed)
    assert (state.error.error_class, state.error.message) == (ErrorClass.INPUT, "Bad audio.")
    assert bench.error(poll).error_class == ErrorClass.LOST


def test_a_bucket_that_does_not_exist_is_told_by_test_connection_and_is_a_wrong_setting(bench: Bench):
    async def steps(engine: SpeechEngine) -> Any:
        return [step async for step in engine.check(CALL)]

    error = bench.error(steps, bucket="nobody-has-this-bucket")
    assert (error.error_class, "nobody-has-this-bucket" in error.message) == (ErrorClass.CONFIG, True)


def test_no_request_leaves_past_the_guard_even_for_tokens(bench: Bench, monkeypatch):
    def refuse(*_given: Any, **_named: Any) -> None:
        raise AssertionError("urllib3 was asked for a connection")

    monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool.urlopen", refuse)
    transcript = bench.run(lambda engine: heard(engine, CALL))
    assert words_of(transcript, 0) == AGENT.split()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("no json at all", "no JSON"),
        ("[]", "service_account"),
        ('{"type": "authorized_user"}', "service_account"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"}, "PEM"),
        ({"client_email": ""}, "client_email"),
        ({"project_id": 5}, "project_id"),
    ],
)
def test_a_key_that_is_none_is_refused_when_saved_and_never_quoted(google_server: StandIn, change, rule):
    good = Path(google_server.said["key_file"]).read_text()
    assert GoogleOptions(credentials=good).credentials is not None
    given = change if isinstance(change, str) else json.dumps(json.loads(good) | change)
    with pytest.raises(ValidationError) as refused:
        GoogleOptions(credentials=given)
    assert rule in refused.value.errors()[0]["msg"]
    assert "BEGIN" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_version": "v2", "model": "phone_call"},
        {"alternative_languages": "he-IL, ar-IL, en-US, de-DE"},
        {"alternative_languages": "klingon?"},
        {"bucket": "Not A Bucket"},
        {"prefix": "../up"},
        {"endpoint": "https://speech.googleapis.com/v1"},
    ],
)
def test_settings_that_cannot_work_are_refused_when_saved(wrong: dict[str, str]):
    with pytest.raises(ValidationError):
        GoogleOptions(**wrong)

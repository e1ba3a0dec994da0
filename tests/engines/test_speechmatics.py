"""Speechmatics: channels and speakers, punctuation, languages, deployments, and jobs found by our reference."""

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from core.outcomes import ErrorClass
from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import ask_for, audio_of, words_of
from tests.engines.standing_in import StandIn
from tests.engines.vendors import SpeechmaticsProvider
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, SpeechEngine
from transcription.engines.speechmatics.answers import Transcript
from transcription.engines.speechmatics.languages import code_of, locale_of, tag_of
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
STEREO = audio_of(tone_wav([spoken(AGENT, 300), spoken(CUSTOMER, 3000)]))
MONO = dataclasses.replace(audio_of(tone_wav([spoken(AGENT, 300)])), channels=1)
CONTAINER = {"deployment": "on_premises", "api_key": None}


@pytest.fixture
def bench(speechmatics_server: StandIn) -> Iterator[Bench]:
    """The engine type and its server."""
    kind = engine_types()["speechmatics"]
    provider = SpeechmaticsProvider(kind, speechmatics_server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


def heard(audio: AudioSource = STEREO, reference: str = "heard", language: str = "en-US") -> Any:
    """The transcript of a recording; its job is deleted."""

    async def work(engine: SpeechEngine) -> TranscriptData:
        remote = await engine.submit(audio, ask_for(reference, language))
        assert isinstance(remote, Remote)
        assert await engine.poll(remote) == Done()
        transcript = await engine.fetch(remote)
        await engine.cleanup(remote)
        return transcript

    return work


def asked(server: StandIn) -> dict[str, Any]:
    """What the last upload asked for."""
    config: dict[str, Any] = [entry for entry in server.requests("/v2/jobs") if "config" in entry][-1]["config"]
    return config


def test_channels_are_asked_for_by_labels_and_are_no_speakers(bench: Bench, speechmatics_server: StandIn):
    transcript = bench.run(heard(reference="ours"))
    config = asked(speechmatics_server)
    assert config["transcription_config"]["diarization"] == "channel"
    assert config["transcription_config"]["channel_diarization_labels"] == ["channel_1", "channel_2"]
    assert config["tracking"] == {"reference": "ours"}
    assert [(segment.channel, segment.speaker) for segment in transcript.segments] == [(0, ""), (1, "")]
    assert (words_of(transcript, 0), words_of(transcript, 1)) == (AGENT.split(), CUSTOMER.split())


@pytest.mark.parametrize(("diarize", "mode", "speaker"), [(True, "speaker", "S1"), (False, "none", "")])
def test_voices_of_one_channel_are_told_apart_where_that_is_set(
    bench: Bench, speechmatics_server: StandIn, diarize: bool, mode: str, speaker: str
):
    transcript = bench.run(heard(MONO), diarize=diarize)
    assert asked(speechmatics_server)["transcription_config"]["diarization"] == mode
    assert [(segment.channel, segment.speaker) for segment in transcript.segments] == [(0, speaker)]


@pytest.mark.parametrize(("punctuate", "text"), [(True, "Hello please hold the line."), (False, AGENT.capitalize())])
def test_marks_stand_at_their_words_and_can_be_left_out(bench: Bench, punctuate: bool, text: str):
    (segment,) = bench.run(heard(MONO), punctuate=punctuate).segments
    assert segment.text == text
    assert [word.text for word in segment.words] == text.split()


@pytest.mark.parametrize(
    ("tag", "code", "locale", "back"),
    [
        ("he-IL", "he", None, "he"),
        ("en-GB", "en", "en-GB", "en-GB"),
        ("en-IN", "en", None, "en"),
        ("zh-CN", "cmn", "cmn-Hans", "zh-Hans"),
        ("zh-HK", "yue", None, "yue"),
        ("nb-NO", "no", None, "no"),
        ("", "auto", None, "en"),
    ],
)
def test_each_language_has_the_code_of_the_vendor_and_comes_back_as_ours(
    bench: Bench, speechmatics_server: StandIn, tag: str, code: str, locale: str | None, back: str
):
    assert (code_of(tag), locale_of(tag)) == (code, locale)
    transcript = bench.run(heard(MONO, language=tag))
    config = asked(speechmatics_server)["transcription_config"]
    assert (config["language"], config.get("output_locale")) == (code, locale)
    assert transcript.language == back
    assert tag_of("cmn") == "zh"


def test_a_language_pack_is_asked_for_whatever_the_conversation_is_in(bench: Bench, speechmatics_server: StandIn):
    bench.run(heard(MONO, language="en-GB"), language_pack="cmn_en", domain="medical")
    config = asked(speechmatics_server)["transcription_config"]
    assert (config["language"], config["domain"], config.get("output_locale")) == ("cmn_en", "medical", None)


def test_the_cloud_is_asked_not_to_wait_and_a_container_is_asked_without_key_as_older_servers_are(
    bench: Bench, speechmatics_server: StandIn
):
    before = len(speechmatics_server.journal())
    bench.run(heard())
    cloud = speechmatics_server.journal()[before:]
    assert [entry["query"].get("wait") for entry in cloud if entry["method"] == "GET"] == [None, "0", "0"]
    assert asked(speechmatics_server)["transcription_config"]["model"] == "enhanced"
    speechmatics_server.be(container=True)
    assert bench.run(heard(), **CONTAINER).model == "enhanced"
    assert asked(speechmatics_server)["transcription_config"]["operating_point"] == "enhanced"


def test_a_container_that_lists_no_jobs_is_worked_with_and_the_cloud_always_lists(
    bench: Bench, speechmatics_server: StandIn
):
    speechmatics_server.be(container=True, lists=False)
    assert bench.run(heard(), **CONTAINER).segments
    assert bench.run(lambda engine: engine.find({"heard"}), **CONTAINER) == {}
    assert "answers" in bench.run(lambda engine: engine.greet(), **CONTAINER)  # type: ignore[attr-defined]
    speechmatics_server.be(container=False)
    assert bench.error(lambda engine: engine.find({"heard"})).error_class == ErrorClass.CONFIG


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("api_key", {"api_key": None}),
        ("api_key", {"api_key": "  "}),
        ("address", {"address": "https://eu1.asr.api.speechmatics.com/v2"}),
        ("language_pack", {"language_pack": "English"}),
        ("domain", {"domain": "a b"}),
        ("model", {"model": "whisper"}),
    ],
)
def test_settings_that_cannot_work_are_refused_by_the_name_of_the_field(bench: Bench, field: str, values: Any):
    good = {"api_key": "k"}
    assert bench.kind.options_type(**good)
    assert bench.kind.options_type(**CONTAINER)
    with pytest.raises(ValidationError) as refused:
        bench.kind.options_type(**{**good, **values})
    assert [error["loc"] for error in refused.value.errors()] == [(field,)]


def test_an_upload_whose_answer_was_lost_is_found_and_not_sent_again(bench: Bench, speechmatics_server: StandIn):
    before = bench.provider.jobs()

    async def work(engine: SpeechEngine) -> object:
        return await engine.submit(STEREO, ask_for("answer-lost"))

    speechmatics_server.fault(match=bench.provider.verbs["submit"], accept_then_drop=True)
    assert bench.error(work).error_class == ErrorClass.TRANSIENT
    (job,) = bench.provider.jobs() - before
    assert bench.run(lambda engine: engine.find({"answer-lost"})) == {"answer-lost": [Remote(job)]}
    assert bench.run(work) == Remote(job)
    assert bench.provider.jobs() - before == {job}


def test_jobs_are_found_page_by_page(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    async def work(engine: SpeechEngine) -> tuple[list[Any], dict[str, list[Remote]]]:
        remotes = [await engine.submit(MONO, ask_for(f"paged-{number}")) for number in range(3)]
        return remotes, await engine.find({"paged-0", "paged-2"})

    monkeypatch.setattr("transcription.engines.speechmatics.engine.PAGE_JOBS", 1)
    remotes, found = bench.run(work)
    assert found == {"paged-0": [remotes[0]], "paged-2": [remotes[2]]}


def test_a_running_job_is_pending_and_is_deleted_all_the_same(bench: Bench, speechmatics_server: StandIn):
    speechmatics_server.be(running_polls=1000)

    async def work(engine: SpeechEngine) -> object:
        remote = await engine.submit(MONO, ask_for("running"))
        assert isinstance(remote, Remote)
        state = await engine.poll(remote)
        await engine.cleanup(remote)
        return state

    before = bench.provider.jobs()
    assert bench.run(work) == Pending()
    assert bench.provider.jobs() == before


@pytest.mark.parametrize("verb", ["poll", "fetch"])
def test_a_job_that_expired_at_the_server_is_lost(bench: Bench, verb: str):
    bench.provider.answer(verb, 410, {"code": 410, "error": "Job Expired"})
    assert bench.error(lambda engine: getattr(engine, verb)(Remote("a1b2c3d4e5"))).error_class == ErrorClass.LOST


def test_a_rejected_job_fails_with_the_words_of_the_server(bench: Bench):
    async def work(engine: SpeechEngine) -> object:
        remote = await engine.submit(audio_of(b"no sound"), ask_for("rejected"))
        assert isinstance(remote, Remote)
        return await engine.poll(remote)

    state = bench.run(work)
    assert isinstance(state, Failed)
    assert state.error.error_class == ErrorClass.INPUT
    assert state.error.message == "data_file: the format of the audio is not supported"


def item(content: str, start: float, kind: str = "word", **more: Any) -> dict[str, Any]:
    """One result of 200 ms, or a mark without length."""
    spoken = {"content": content, "confidence": 0.9, "speaker": more.pop("speaker", "S1"), "language": "es"}
    end = start if kind == "punctuation" else start + 0.2
    return {"type": kind, "start_time": start, "end_time": end, "alternatives": [spoken], **more}


def read(*results: dict[str, Any], delimiter: str = " ") -> list[tuple[int, str, str, int, int]]:
    """The turns of a transcript with these results: channel, speaker, text, start and end."""
    metadata = {"language_pack_info": {"word_delimiter": delimiter}}
    body = {"job": {"id": "a", "duration": 9}, "metadata": metadata, "results": results}
    made = Transcript.model_validate_json(json.dumps(body)).as_data().segments
    return [(each.channel, each.speaker, each.text, each.start_ms, each.end_ms) for each in made]


def mark(content: str, start: float, attaches_to: str, **more: Any) -> dict[str, Any]:
    """A mark of punctuation."""
    return item(content, start, "punctuation", attaches_to=attaches_to, **more)


def test_a_turn_ends_with_its_sentence_with_its_speaker_and_at_a_long_silence():
    turns = read(
        item("Hola", 0),
        mark(",", 0.2, "previous"),
        item("señora", 0.3),
        mark(".", 0.5, "previous", is_eos=True),
        item("Sí", 0.6),
        item("No", 0.9, speaker="S2"),
        item("bueno", 4, speaker="S2"),
        item("ruido", 4.3, speaker="UU"),
    )
    assert turns == [
        (0, "S1", "Hola, señora.", 0, 500),
        (0, "S1", "Sí", 600, 800),
        (0, "S2", "No", 900, 1100),
        (0, "S2", "bueno", 4000, 4200),
        (0, "", "ruido", 4300, 4500),
    ]


def test_marks_attach_to_either_side_and_words_stand_as_their_language_is_written():
    hyphened = read(item("bien", 0), mark("-", 0.2, "both"), item("amado", 0.3), mark("(", 0.5, "next"), item("x", 0.6))
    assert [turn[2] for turn in hyphened] == ["bien-amado (x"]
    question = read(item("Sí", 0), mark(".", 0.2, "previous", is_eos=True), mark("¿", 0.3, "next"), item("qué", 0.3))
    assert [turn[2] for turn in question] == ["Sí.", "¿qué"]
    assert [turn[2] for turn in read(item("你", 0), item("好", 0.3), delimiter="")] == ["你好"]
    assert read(mark(".", 0, "previous", is_eos=True)) == []


def test_a_transcript_of_many_hours_is_taken(bench: Bench, speechmatics_server: StandIn):
    # Some 11 MB, which is more than answers have otherwise.
    speechmatics_server.be(repeats=10_000)
    transcript = bench.run(heard(MONO))
    assert (len(transcript.segments), len(words_of(transcript, 0))) == (10_000, 50_000)
    assert transcript.segments[-1].end_ms <= transcript.duration_ms


def test_words_of_two_channels_are_told_apart_where_they_overlap():
    first, second = {"channel": "channel_1"}, {"channel": "channel_2"}
    turns = read(item("a", 0, **first), item("b", 0.1, **second), item("c", 0.2, **first), item("d", 0.3, **second))
    assert [(turn[0], turn[2]) for turn in turns] == [(0, "a c"), (1, "b d")]


def test_verbs_of_one_engine_run_side_by_side(bench: Bench):
    async def work(engine: SpeechEngine) -> list[TranscriptData]:
        return await asyncio.gather(*(heard(MONO, f"side-{number}")(engine) for number in range(4)))

    assert [words_of(transcript, 0) for transcript in bench.run(work)] == [AGENT.split()] * 4

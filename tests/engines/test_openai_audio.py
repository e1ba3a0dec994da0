"""OpenAI's transcriptions and compatible servers: models without times, servers with gaps, long and silent recordings."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from core.outcomes import ErrorClass
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import Bench
from tests.engines.providers import ask_for, audio_of, words_of
from tests.engines.standing_in import StandIn
from tests.engines.vendors import OpenAIProvider
from transcription.engines.base import AudioSource, SpeechEngine
from transcription.registry import engine_types

AGENT, CUSTOMER = "hello please hold the line", "my bill is too high"
CALL = audio_of(tone_wav([spoken(AGENT, 300), spoken(CUSTOMER, 3000)]))
LONG = audio_of(tone_wav([spoken("one two three four", 300) + spoken("five six seven", 40_000)], duration_ms=70_000))


@pytest.fixture
def bench(openai_server: StandIn) -> Iterator[Bench]:
    """The engine type for compatible servers."""
    kind = engine_types()["openai_compatible"]
    provider = OpenAIProvider(kind, openai_server)
    yield Bench(kind, provider, provider.address)
    provider.lift()


def heard(audio: AudioSource = CALL, language: str = "en-US") -> Any:
    """The transcript of a recording."""

    async def work(engine: SpeechEngine) -> Any:
        return await engine.submit(audio, ask_for("any", language))

    return work


def uploads(server: StandIn, since: int) -> list[dict[str, Any]]:
    """What the server was sent, without refusals, after the first ``since`` requests."""
    return [entry for entry in server.journal()[since:] if "audioMs" in entry]


def test_each_channel_is_sent_apart_with_the_language_and_the_vocabulary(bench: Bench, openai_server: StandIn):
    before = len(openai_server.journal())
    bench.run(heard(language="he-IL"), vocabulary="Parlance, Kfar Saba")
    sent = uploads(openai_server, before)
    assert [entry["text"] for entry in sent] == [AGENT, CUSTOMER]
    assert {(entry["language"], entry["prompt"]) for entry in sent} == {("he", "Parlance, Kfar Saba")}


@pytest.mark.parametrize("form", ["ogg", "flac", "wav"])
def test_every_form_of_upload_is_understood(bench: Bench, form: str):
    transcript = bench.run(heard(), sent_as=form)
    assert (words_of(transcript, 0), words_of(transcript, 1)) == (AGENT.split(), CUSTOMER.split())


def test_a_model_without_times_gets_phrases_so_that_turns_have_times(bench: Bench):
    transcript = bench.run(heard(LONG), model="gpt-4o-transcribe")
    assert [segment.text for segment in transcript.segments] == ["One two three four.", "Five six seven."]
    first, second = transcript.segments
    assert first.end_ms <= 16_000
    assert 25_000 <= second.start_ms <= 40_000 < second.end_ms
    assert not first.words


def test_a_model_that_tells_speakers_apart_is_asked_for_them(bench: Bench):
    transcript = bench.run(heard(LONG), model="gpt-4o-transcribe-diarize")
    assert [(segment.speaker, segment.text) for segment in transcript.segments] == [
        ("A", "One two three four."),
        ("B", "Five six seven."),
    ]


def test_what_is_too_long_is_cut_in_silence_and_comes_back_in_its_place(bench: Bench, openai_server: StandIn):
    before = len(openai_server.journal())
    whole = bench.run(heard(LONG))
    cut = bench.run(heard(LONG), longest_piece_s=30)
    pieces = uploads(openai_server, before)[1:]
    assert [piece["text"] for piece in pieces] == ["one two three four", "five six seven"]
    assert max(piece["audioMs"] for piece in pieces) <= 30_100
    assert [(word, "") for word in words_of(cut, 0)] == [(word, "") for word in words_of(whole, 0)]
    drift = [
        abs(one.start_ms - other.start_ms)
        for one, other in zip(
            [word for segment in cut.segments for word in segment.words],
            [word for segment in whole.segments for word in segment.words],
            strict=True,
        )
    ]
    assert max(drift) <= 20


def test_a_silent_channel_is_not_sent_so_that_nothing_is_invented(bench: Bench, openai_server: StandIn):
    before = len(openai_server.journal())
    transcript = bench.run(heard(audio_of(tone_wav([spoken(AGENT, 300), []]))))
    assert [entry["text"] for entry in uploads(openai_server, before)] == [AGENT]
    assert words_of(transcript, 1) == []


def test_a_server_without_word_times_is_asked_once_and_gives_turns(bench: Bench, openai_server: StandIn):
    openai_server.be(lacks_word_times=True)
    before = len(openai_server.journal())
    transcript = bench.run(heard())
    statuses = [entry["status"] for entry in openai_server.journal()[before:]]
    assert statuses == [400, 200, 200]
    assert [segment.text for segment in transcript.segments] == ["Hello please hold the line.", "My bill is too high."]
    assert not any(segment.words for segment in transcript.segments)


def test_the_first_recording_of_a_server_without_times_is_cut_in_phrases_like_all_others(
    bench: Bench, openai_server: StandIn
):
    openai_server.be(lacks_verbose_json=True)

    async def work(engine: SpeechEngine) -> Any:
        together = await asyncio.gather(*(engine.submit(LONG, ask_for(f"r{n}", "en-US")) for n in range(2)))
        return [*together, await engine.submit(LONG, ask_for("later", "en-US"))]

    for transcript in bench.run(work):
        first, second = transcript.segments
        assert first.end_ms <= 16_000
        assert 25_000 <= second.start_ms <= 40_000 < second.end_ms


def test_a_server_that_knows_json_alone_still_gives_the_text(bench: Bench, openai_server: StandIn):
    openai_server.be(lacks_verbose_json=True)
    transcript = bench.run(heard())
    assert [segment.text for segment in transcript.segments] == ["Hello please hold the line.", "My bill is too high."]


def test_a_form_of_answers_that_was_chosen_is_not_replaced_by_another(bench: Bench, openai_server: StandIn):
    openai_server.be(lacks_verbose_json=True)
    assert bench.error(heard(), answers="verbose_json").error_class == ErrorClass.INPUT


def test_vllms_durations_in_texts_and_fillers_instead_of_confidence_are_read(bench: Bench, openai_server: StandIn):
    openai_server.be(flavour="vllm")
    transcript = bench.run(heard())
    assert [segment.text for segment in transcript.segments] == ["Hello please hold the line.", "My bill is too high."]
    openai_server.be(flavour="openai")
    words = [word for segment in bench.run(heard()).segments for word in segment.words]
    assert {round(word.confidence, 2) for word in words} == {0.9}


def test_a_model_that_the_server_does_not_have_is_a_wrong_setting(bench: Bench):
    error = bench.error(heard(), model="no-such-model")
    assert error.error_class == ErrorClass.CONFIG
    assert "no-such-model" in error.message


def test_an_upload_that_the_server_finds_too_large_fails_as_input(bench: Bench):
    bench.provider.answer("submit", 413, "<html>413 Request Entity Too Large</html>")
    error = bench.error(heard())
    assert error.error_class == ErrorClass.INPUT


def test_what_whisper_made_up_in_silence_is_left_out(bench: Bench):
    said = {"start": 0, "end": 1, "text": "Hello.", "avg_logprob": -0.2, "no_speech_prob": 0.9}
    invented = {"start": 1, "end": 2, "text": "Thanks for watching!", "avg_logprob": -1.4, "no_speech_prob": 0.9}
    for _channel in range(2):
        bench.provider.answer("submit", 200, {"text": "…", "segments": [said, invented]})
    transcript = bench.run(heard())
    assert {segment.text for segment in transcript.segments} == {"Hello."}

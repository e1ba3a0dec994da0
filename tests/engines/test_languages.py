"""Languages at the engines: each engine's own names of them, and languages that it finds out by itself."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from core.transcripts import TranscriptData
from speechserver.tones import spoken, tone_wav
from tests.engines.conftest import SERVERS, Bench
from tests.engines.providers import audio_of
from tests.engines.standing_in import BUCKET, StandIn
from tests.engines.vendors import PROVIDERS
from transcription.engines.base import Failed, Pending, SpeechEngine
from transcription.engines.options import SpeechOptions
from transcription.engines.tags import Detection, Wanted, canonical, ours_of, pairs_of, recognises, theirs_of
from transcription.registry import engine_types

CALL = audio_of(tone_wav([spoken("hello please hold the line", 300), spoken("my bill is too high", 3000)]))
OPENLY = ["openai", "openai_compatible", "deepgram", "assemblyai", "speechmatics"]
AMONG = ["deepgram", "assemblyai", "google", "speechmatics"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """``open_bench``: each type that detects among all; ``choosing_bench``: each that chooses among some."""
    for name, keys in (("open_bench", OPENLY), ("choosing_bench", AMONG)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, keys, indirect=True)


def _bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    kind, server = engine_types()[request.param], request.getfixturevalue(SERVERS[request.param])
    server.be(spoken="he")
    provider = PROVIDERS[request.param](kind, server)
    yield Bench(kind, provider, provider.address)
    server.control("DELETE", "/_emu/settings")


open_bench = pytest.fixture(_bench, name="open_bench")
choosing_bench = pytest.fixture(_bench, name="choosing_bench")


def language(wanted: Wanted) -> Any:
    """Our tag of what was heard, as a job stores it."""

    async def work(engine: SpeechEngine) -> str:
        got = await engine.submit(CALL, engine.request(wanted, f"languages-{uuid.uuid4()}"))
        if not isinstance(got, TranscriptData):
            while isinstance(state := await engine.poll(got), Pending):
                pass
            assert not isinstance(state, Failed)
            got = await engine.fetch(got)
        return engine.in_our_words(got, wanted).language

    return work


def test_without_a_language_the_engine_says_which_one_it_heard(open_bench: Bench):
    assert open_bench.run(language(Wanted(""))) == "he"


def test_among_candidates_the_engine_chooses_and_the_answer_is_our_tag_of_one_of_them(choosing_bench: Bench):
    assert choosing_bench.run(language(Wanted("", ("en-US", "he-IL")))) == "he-IL"


def test_a_language_that_was_asked_for_is_kept_whatever_detection_would_find(choosing_bench: Bench):
    assert choosing_bench.run(language(Wanted("en-US"))) == "en-US"


def test_speechmatics_is_given_the_candidates_by_its_own_codes(speechmatics_server: StandIn):
    kind = engine_types()["speechmatics"]
    provider = PROVIDERS["speechmatics"](kind, speechmatics_server)
    bench = Bench(kind, provider, provider.address)
    speechmatics_server.be(spoken="cmn")
    assert bench.run(language(Wanted("", ("zh-CN", "en-US", "en-GB")))) == "zh-CN"
    speechmatics_server.control("DELETE", "/_emu/settings")
    sent = [entry["config"] for entry in speechmatics_server.journal() if "config" in entry][-1]
    assert sent["language_identification_config"] == {"expected_languages": ["cmn", "en"]}
    assert sent["transcription_config"]["language"] == "auto"
    assert kind.detection(provider.options()) == Detection(openly=True, most=10)
    assert kind.detection(provider.options(language_pack="cmn_en")) is None


@pytest.mark.parametrize("bucket", [BUCKET, ""])
@pytest.mark.parametrize(("version", "model"), [("v1p1beta1", "phone_call"), ("v2", "telephony")])
def test_google_is_given_the_candidates_with_a_bucket_and_without_and_by_its_own_names(
    google_server: StandIn, version: str, model: str, bucket: str
):
    google_server.be(spoken="iw")
    provider = PROVIDERS["google"](engine_types()["google"], google_server)
    bench = Bench(engine_types()["google"], provider, provider.address)
    before = len(google_server.journal())
    named = {"api_version": version, "model": model, "bucket": bucket, "language_map": "he=iw-IL"}
    assert bench.run(language(Wanted("", ("en-US", "he-IL"))), **named) == "he-IL"
    sent = [entry["languages"] for entry in google_server.journal()[before:] if "languages" in entry]
    assert sent
    assert all(languages == ["en-US", "iw-IL"] for languages in sent)
    google_server.control("DELETE", "/_emu/settings")


def test_azure_is_given_the_candidates_as_locales(azure_server: StandIn):
    kind = engine_types()["azure"]
    provider = PROVIDERS["azure_fast"](kind, azure_server)
    found = Bench(kind, provider, provider.address).run(
        language(Wanted("", ("he-IL", "en-US"))), language_map="en=en-GB"
    )
    definition = azure_server.requests("/speechtotext/transcriptions:transcribe")[-1]["definition"]
    assert (found, definition["locales"]) == ("he-IL", ["he-IL", "en-GB"])


def test_what_google_can_detect_depends_on_its_version(google_server: StandIn):
    kind = engine_types()["google"]
    provider = PROVIDERS["google"](kind, google_server)

    def detection(version: str, model: str) -> Detection | None:
        return kind.detection(provider.options(api_version=version, model=model))

    assert detection("v1", "latest_long") is None
    assert detection("v1p1beta1", "phone_call") == Detection(openly=False, most=4)
    assert detection("v2", "telephony") == Detection(openly=False, most=3)


def test_every_engine_type_has_the_names_of_languages():
    assert all(issubclass(kind.options_type, SpeechOptions) for kind in engine_types().values())


def test_a_map_is_stored_tidily_and_names_a_language_by_the_whole_tag_before_the_language_alone():
    options = SpeechOptions(language_map=" he_il = iw-IL,en=en-GB,,de-AT=German ")
    assert options.language_map == "he-IL=iw-IL, en=en-GB, de-AT=German"
    pairs = options.names_of_languages
    assert [theirs_of(pairs, tag) for tag in ("he-IL", "en-US", "de-AT", "de-DE")] == [
        "iw-IL",
        "en-GB",
        "German",
        "de-DE",
    ]


@pytest.mark.parametrize("text", ["he-IL", "he-IL=", "=iw", "Hebrew=iw", "he=a;b", "he=iw, he=he", "he=x\ny"])
def test_a_map_that_is_none_is_refused_when_saved(text: str):
    with pytest.raises(ValidationError):
        SpeechOptions(language_map=text)


@pytest.mark.parametrize(
    ("said", "wanted", "ours"),
    [
        ("iw-il", Wanted("he-IL"), "he-IL"),
        ("en", Wanted("en-US"), "en-US"),
        ("en_us", Wanted("", ("he-IL", "en-US")), "en-US"),
        ("iw-IL", Wanted(""), "he-IL"),
        ("pt-br", Wanted(""), "pt-BR"),
        ("", Wanted("en-US"), "en-US"),
        ("", Wanted(""), ""),
        ("multi", Wanted(""), ""),
        ("<b>", Wanted(""), ""),
    ],
)
def test_what_an_engine_says_becomes_our_tag_or_nothing(said: str, wanted: Wanted, ours: str):
    assert ours_of(pairs_of("he-IL=iw-IL"), said, wanted) == ours


def test_tags_are_written_in_one_way_and_a_language_stands_for_its_regions():
    assert [canonical(tag) for tag in ("HE_il", "zh-hant-tw", "yue", "english", "")] == [
        "he-IL",
        "zh-Hant-TW",
        "yue",
        "",
        "",
    ]
    assert recognises({"he"}, "he-IL")
    assert recognises({"he-IL"}, "he")
    assert not recognises({"he-IL"}, "en-US")

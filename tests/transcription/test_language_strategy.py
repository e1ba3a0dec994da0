"""The language of a job: whose it is, what the form refuses, and what is stored of what the engine found out."""

from collections.abc import Iterator
from typing import Any

import pytest

from conversations.models import Call, Transcript
from core.errors import Conflict, InvalidInput
from jobs.describing import facts
from jobs.kinds import KindPaused
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from tenants.doors import enter
from tenants.models import Tenant
from tenants.services import allow_address
from tests.engines.standing_in import KEY, StandIn
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from tests.jobs.pages import job_form, shown, url
from transcription.engines.native import NativeSpeechEngine
from transcription.engines.tags import Wanted
from transcription.kind import TranscriptionKind
from transcription.language_strategy import LanguageRule
from transcription.languages.models import Language
from transcription.models import SpeechEngine
from transcription.services import save_engine

pytestmark = pytest.mark.django_db

DETECT = {"language_strategy": "detect"}


def engine_of(key: str, name: str = "Words", **settings: Any) -> SpeechEngine:
    """A stored engine at an address that nobody asks."""
    addresses = {"native_v2": "server_address", "openai": "base_url"}
    address = {addresses[key]: "https://93.184.216.34"} if key in addresses else {}
    return SpeechEngine.objects.create(name=name, engine_type=key, settings={**address, **settings})


def cleaned(engine: SpeechEngine, **values: Any) -> dict[str, Any]:
    """The settings as a job stores them."""
    return TranscriptionKind().clean_settings({"engine": engine.pk, **values})


@pytest.mark.parametrize(
    ("settings", "of_call", "wanted"),
    [
        ({}, "he-IL", Wanted("he-IL")),
        ({}, "", Wanted("en-US")),
        ({"language": "ar-IL"}, "he-IL", Wanted("he-IL")),
        ({"language": "ar-IL"}, "", Wanted("ar-IL")),
        ({"language_strategy": "fixed", "language": "ar-IL"}, "he-IL", Wanted("ar-IL")),
        ({"language_strategy": "tenant"}, "he-IL", Wanted("en-GB")),
        (DETECT, "he-IL", Wanted("")),
        ({**DETECT, "language_candidates": ["he-IL", "en-US"]}, "", Wanted("", ("he-IL", "en-US"))),
    ],
)
def test_each_strategy_asks_for_its_language(settings, of_call, wanted):
    assert LanguageRule.of(settings).wanted(Tenant(language="en-gb"), of_call) == wanted


def test_a_job_keeps_what_its_strategy_uses_and_nothing_else(db):
    engine = engine_of("deepgram")
    both = {"language": "he-IL", "language_candidates": ["he-IL", "en-US"]}
    base = {"engine": engine.pk, "ignore_moh": False, "talk_fields": False}
    assert cleaned(engine) == {**base, "language_strategy": ""}
    assert cleaned(engine, language_strategy="tenant", **both) == {**base, "language_strategy": "tenant"}
    fixed = {"language_strategy": "fixed", "language": "he-IL"}
    assert cleaned(engine, **{**both, **fixed}) == {**base, **fixed}
    detect = {**DETECT, "language_candidates": ["he-IL", "en-US"]}
    assert cleaned(engine, **{**both, **detect}) == {**base, **detect}


@pytest.mark.parametrize(
    ("key", "settings", "values", "field"),
    [
        ("deepgram", {}, {"language_strategy": "guess"}, "language_strategy"),
        ("deepgram", {}, {"language_strategy": "fixed"}, "language"),
        ("deepgram", {}, {"language_strategy": "fixed", "language": "xx-YY"}, "language"),
        ("deepgram", {}, {**DETECT, "language_candidates": ["he-IL"]}, "language_candidates"),
        ("deepgram", {}, {**DETECT, "language_candidates": ["he-IL", "he-IL"]}, "language_candidates"),
        ("deepgram", {}, {**DETECT, "language_candidates": ["he-IL", "xx-YY"]}, "language_candidates"),
        ("native_v2", {}, DETECT, "language_strategy"),
        ("openai", {}, {**DETECT, "language_candidates": ["he-IL", "en-US"]}, "language_candidates"),
        ("google", {}, DETECT, "language_candidates"),
        ("google", {"api_version": "v1"}, {**DETECT, "language_candidates": ["he-IL", "en-US"]}, "language_strategy"),
        (
            "google",
            {"api_version": "v2", "model": "telephony"},
            {**DETECT, "language_candidates": ["he-IL", "en-US", "ar-IL", "fr-FR"]},
            "language_candidates",
        ),
        ("google", {"api_version": "v9"}, {**DETECT, "language_candidates": ["he-IL", "en-US"]}, "engine"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_at_its_field_when_the_job_is_saved(db, key, settings, values, field):
    engine = engine_of(key, **settings)
    with pytest.raises(InvalidInput) as refused:
        cleaned(engine, **values)
    assert refused.value.field == field
    assert refused.value.message


def test_what_the_engine_can_do_is_stored(db):
    four = ["he-IL", "en-US", "ar-IL", "fr-FR"]
    assert cleaned(engine_of("google"), **DETECT, language_candidates=four)["language_candidates"] == four
    assert cleaned(engine_of("openai", "Open"), **DETECT)["language_strategy"] == "detect"


def test_a_language_that_the_engine_does_not_have_is_refused_unless_its_own_name_of_it_is_known(db, monkeypatch):
    monkeypatch.setattr(NativeSpeechEngine, "languages", frozenset({"en", "iw-IL"}))
    fixed = {"language_strategy": "fixed", "language": "he-IL"}
    with pytest.raises(InvalidInput) as refused:
        cleaned(engine_of("native_v2"), **fixed)
    assert refused.value.field == "language"
    assert cleaned(engine_of("native_v2", "Mapped", language_map="he=iw-IL"), **fixed)["language"] == "he-IL"


def test_a_disabled_language_is_not_taken(db):
    engine = engine_of("deepgram")
    Language.objects.filter(code="ko-KR").update(enabled=False)
    with pytest.raises(InvalidInput):
        cleaned(engine, language_strategy="fixed", language="ko-KR")


def test_an_engine_cannot_be_changed_so_that_a_job_of_it_could_not_detect_any_more(db, people, system):
    engine = engine_of("google")
    settings = cleaned(engine, **DETECT, language_candidates=["he-IL", "en-US"])
    job = JobDefinition.objects.create(name="Detecting", kind="transcription", settings=settings)
    values = {"name": "Words", "engine_type": "google", "enabled": True, "visibility": "global", "tenant": None}

    def save(**changes: Any) -> SpeechEngine:
        stored = SpeechEngine.objects.get(pk=engine.pk)
        given = {"engine": stored, "values": values, "secrets": {}}
        addresses = dict.fromkeys(("endpoint", "storage_endpoint"), "https://93.184.216.34")
        return save_engine(**given, settings=addresses | changes, actor="test", audit_tenant=system)

    with pytest.raises(Conflict, match="Detecting"):
        save(api_version="v1", model="latest_long")
    assert SpeechEngine.objects.get(pk=engine.pk).settings == {}
    assert save(model="latest_long").settings["model"] == "latest_long"
    SpeechEngine.objects.filter(pk=engine.pk).update(settings={"api_version": "v1", "model": "latest_long"})
    with pytest.raises(KindPaused, match="cannot detect"):
        TranscriptionKind().session(job.settings, [])


@pytest.fixture(scope="module")
def deepgram(tmp_path_factory) -> Iterator[StandIn]:
    """A stand-in for Deepgram that hears Hebrew wherever it detects."""
    server = StandIn("deepgram", tmp_path_factory.mktemp("deepgram") / "data", "--key", KEY)
    server.be(spoken="he")
    yield server
    server.stop()


@pytest.fixture
def detecting(pipeline: Pipeline, deepgram: StandIn, system) -> Pipeline:  # noqa: F811
    """The pipeline with such an engine."""
    port = int(deepgram.url.rsplit(":", 1)[1])
    allow_address(cidr="127.0.0.1/32", port=port, note="tests", actor="test", audit_tenant=system)
    engine = save_engine(
        engine=None,
        values={"name": "Ears", "engine_type": "deepgram", "enabled": True, "visibility": "global", "tenant": None},
        settings={"address": deepgram.url, "language_map": "ar=fr"},
        secrets={"api_key": KEY},
        actor="test",
        audit_tenant=system,
    )
    pipeline.job.settings = cleaned(engine, **DETECT, language_candidates=["en-US", "he-IL"])
    pipeline.job.save(update_fields=["settings"])
    return pipeline


def languages(tenant: Tenant, call: Call) -> tuple[str, str]:
    """Of the call and of its transcript."""
    with enter(tenant):
        return Call.objects.get(pk=call.pk).language, Transcript.objects.get(call_id=call.pk).language


def test_the_detected_language_is_the_transcripts_and_the_calls_only_where_it_had_none(detecting, acme):
    known, unknown = detecting.call(language="en-US"), detecting.call(language="")
    detecting.sweep()
    assert {detecting.record_of(call).state for call in (known, unknown)} == {Record.State.COMPLETED}
    assert languages(acme, known) == ("en-US", "he-IL")
    assert languages(acme, unknown) == ("he-IL", "he-IL")


def test_a_language_that_was_asked_for_is_no_finding_and_goes_by_the_engines_name(detecting, deepgram, acme):
    job = detecting.job
    job.settings = {**job.settings, "language_strategy": "fixed", "language": "ar-IL"}
    job.save(update_fields=["settings"])
    call = detecting.call(language="")
    before = len(deepgram.journal())
    run_pass(job.pk)
    assert detecting.record_of(call).state == Record.State.COMPLETED
    [sent] = [entry for entry in deepgram.journal()[before:] if entry["path"].startswith("/v1/listen")]
    assert sent["query"]["language"] == "fr"
    assert languages(acme, call) == ("", "ar-IL")


def test_the_form_says_what_the_engine_cannot_do_at_the_field_and_stores_nothing(client_for, people, detecting):
    root, job = client_for(people.platform_admin), detecting.job
    assert shown(root, url("edit", job.pk)).count(" checked") >= 2
    assert ("Language", "Detected among en-US, he-IL") in facts(job)
    asked = job_form(detecting.queue, detecting.engine, name=job.name, version=job.version, **DETECT)
    refused = root.post(url("edit", job.pk), asked)
    assert refused.status_code == 422
    assert "cannot detect languages" in str(refused.context["form"].errors["language_strategy"])
    assert JobDefinition.objects.get(pk=job.pk).settings == job.settings
    fixed = {**asked, "language_strategy": "fixed", "language": "he-IL"}
    assert root.post(url("edit", job.pk), fixed).status_code == 302
    stored = JobDefinition.objects.get(pk=job.pk)
    assert stored.settings["language"] == "he-IL"
    assert ("Language", "he-IL for all") in facts(stored)
    assert detecting.engine.name in shown(root, url("jobs"))

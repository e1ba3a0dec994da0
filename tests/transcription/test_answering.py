"""A job whose engine answers an upload with the transcript: no job at the provider, charged once, again after trouble."""

from collections.abc import Iterator

import pytest

from conversations.codec import unpack
from conversations.models import Transcript
from jobs.models import Cleanup, Record
from licensing.models import Entry
from tenants.doors import enter
from tenants.services import allow_address
from tests.engines.standing_in import KEY, StandIn
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from transcription.models import SpeechEngine
from transcription.services import save_engine

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def provider(tmp_path_factory) -> Iterator[StandIn]:
    """A stand-in for OpenAI's API."""
    server = StandIn("openai", tmp_path_factory.mktemp("openai") / "data", "--key", KEY)
    yield server
    server.stop()


@pytest.fixture
def answering(pipeline: Pipeline, provider: StandIn, system) -> Iterator[Pipeline]:  # noqa: F811
    """The pipeline with such an engine."""
    port = int(provider.url.rsplit(":", 1)[1])
    allow_address(cidr="127.0.0.1/32", port=port, note="tests", actor="test", audit_tenant=system)
    engine = save_engine(
        engine=None,
        values={"name": "Words", "engine_type": "openai", "enabled": True, "visibility": "global", "tenant": None},
        settings={"base_url": f"{provider.url}/v1"},
        secrets={"api_key": KEY},
        actor="test",
        audit_tenant=system,
    )
    pipeline.job.settings = {"engine": engine.pk, "ignore_moh": False}
    pipeline.job.save(update_fields=["settings"])
    yield pipeline
    provider.control("DELETE", "/_emu/faults")


def uploads(provider: StandIn) -> int:
    return sum(1 for entry in provider.requests("/v1/audio/transcriptions") if entry["status"] == 200)


def test_a_call_is_transcribed_in_one_pass_and_charged_once_with_nothing_to_delete(answering, provider, acme):
    before = uploads(provider)
    call = answering.call()
    answering.sweep()
    record = answering.record_of(call)
    assert (record.state, record.uploads, record.remote) == (Record.State.COMPLETED, 1, None)
    assert list(Entry.objects.filter(record=record.pk).order_by("pk").values_list("step", flat=True)) == [
        "reserve",
        "settle",
    ]
    assert uploads(provider) - before == 2, "one upload a channel"
    assert not Cleanup.objects.exists()
    with enter(acme):
        transcript = Transcript.objects.get(call_id=call.pk)
        segments = unpack(bytes(transcript.body), transcript.text).segments
    assert {segment.channel for segment in segments} == {0, 1}


def test_after_trouble_the_call_is_sent_anew_and_still_charged_once(answering, provider):
    provider.fault(match={"path_prefix": "/v1/audio"}, status=503)
    call = answering.call()
    answering.sweep()
    record = answering.record_of(call)
    assert (record.state, record.attempts) == (Record.State.IN_PROGRESS, 1)
    Record.objects.filter(pk=record.pk).update(next_at=record.created_at)
    answering.sweep()
    record.refresh_from_db()
    assert record.state == Record.State.COMPLETED
    assert Entry.objects.filter(record=record.pk, step="settle").count() == 1


def test_a_wrong_key_pauses_the_engine_once_and_the_call_waits(answering, provider):
    provider.fault(match={"path_prefix": "/v1/audio"}, status=401, body={"error": {"code": "invalid_api_key"}}, times=9)
    first, second = answering.call(), answering.call()
    answering.sweep()
    assert {answering.record_of(call).state for call in (first, second)} == {Record.State.IN_PROGRESS}
    assert SpeechEngine.objects.get(name="Words").paused_at is not None

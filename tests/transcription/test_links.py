"""Azure's batch by link: the service fetches a recording from us, only while it is being transcribed, and audited."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.core import signing
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import Recording
from jobs.kinds import kind_of
from jobs.models import Record
from jobs.passes.claiming import claim_due, take_from_queue
from jobs.passes.runs import current_run
from jobs.verdicts import Claimed
from tenants.doors import enter
from tenants.models import Tenant
from tenants.services import allow_address
from tests.engines.standing_in import KEY, STORAGE_KEY, StandIn
from tests.jobs.conftest import Pipeline, pipeline, speech, speech_server  # noqa: F401
from transcription import links
from transcription.models import SpeechEngine
from transcription.services import save_engine

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def azure(tmp_path_factory) -> Iterator[StandIn]:
    """The service, without a storage account that anybody has the key of."""
    storage = ("--storage-key", STORAGE_KEY, "--container", "unused")
    server = StandIn("azure", tmp_path_factory.mktemp("azure") / "data", "--key", KEY, *storage)
    yield server
    server.stop()


@pytest.fixture
def linking(pipeline: Pipeline, azure: StandIn, system) -> Pipeline:  # noqa: F811
    """The pipeline with an engine that is asked to fetch."""
    allow_address(cidr="127.0.0.1/32", port=int(azure.url.rsplit(":", 1)[1]), note="x", actor="t", audit_tenant=system)
    return replace(pipeline, engine=by_link(azure.url, "https://calls.example", system))


def by_link(
    url: str, platform: str, system: Tenant, engine: SpeechEngine | None = None, **changes: str
) -> SpeechEngine:
    """The engine, stored."""
    values = {"name": "Fetching", "engine_type": "azure", "enabled": True, "visibility": "global", "tenant": None}
    by = {"actor": "test", "audit_tenant": system}
    settings = {"method": "batch", "hand_over": "link", "endpoint": url, "reached_at": platform, **changes}
    return save_engine(engine=engine, values=values, settings=settings, secrets={"api_key": KEY}, **by)


def fetched(tenant: Tenant) -> list[AuditEntry]:
    """The rows of what was fetched."""
    return list(AuditEntry.objects.filter(tenant_id=tenant.pk, action="recording.fetched"))


@pytest.fixture
def at_provider(linking: Pipeline, acme) -> tuple[Record, str]:
    """A record that is at the engine, and the path of its recording."""
    call = linking.call()
    linking.sweep()
    Record.objects.filter(record_id=call.pk).update(state="in_progress", stage="checking")
    record = linking.record_of(call)
    with enter(acme):
        recording = Recording.objects.get(call_id=call.pk)
    claimed = Claimed(
        id=record.pk,
        fence=record.fence,
        tenant_id=acme.pk,
        record_id=call.pk,
        generation=record.generation,
        stage=record.stage,
        uploads=1,
        attempts=1,
        checks=0,
        errors=0,
        crashes=0,
        reference="",
        remote=None,
    )
    return record, links.link_of(claimed, linking.engine, recording.pk, "call.wav")


def status_of(path: str) -> int:
    """Of reading it whole."""
    answer = Client().get(path)
    list(answer)
    return answer.status_code


def test_it_is_read_whole_by_range_and_by_head_without_a_session(at_provider, acme):
    _record, path = at_provider
    whole = Client().get(path)
    content = b"".join(whole.streaming_content)
    assert (whole.status_code, whole["Content-Type"], content[:4]) == (200, "audio/flac", b"fLaC")
    assert not whole.cookies
    part = Client().get(path, headers={"Range": "bytes=4-7"})
    assert (part.status_code, b"".join(part.streaming_content)) == (206, content[4:8])
    head = Client().head(path)
    assert (head.status_code, head["Content-Length"], head.content) == (200, str(len(content)), b"")
    assert Client().post(path).status_code == 405
    assert len(fetched(acme)) == 2


@pytest.mark.parametrize("state", ["completed", "failed", "aborted", "new", "another generation", "another engine"])
def test_it_ends_with_the_work_on_its_record(at_provider, acme, state):
    record, path = at_provider
    assert status_of(path) == 200
    changes = {"state": state}
    if state == "new":
        changes = {"stage": "new"}
    if state == "another generation":
        changes = {"generation": record.generation + 1}
    if state == "another engine":
        changes = {"place": 1}
    Record.objects.filter(pk=record.pk).update(**changes)
    assert status_of(path) == 404
    assert len(fetched(acme)) == 1


def test_it_ends_with_its_time_and_with_the_setting_of_the_engine(at_provider, linking, azure, system, monkeypatch):
    _record, path = at_provider
    with monkeypatch.context() as patch:
        patch.setattr(links, "time", Later)
        assert status_of(path) == 404
    assert status_of(path) == 200
    by_link(azure.url, "", system, linking.engine, hand_over="blob", method="fast")
    assert status_of(path) == 404


class Later:
    """The clock of tomorrow, two hours on."""

    @staticmethod
    def time() -> float:
        """Seconds since 1970."""
        return time.time() + links.VALID_S + 1


@pytest.mark.parametrize("made", ["a", "Ax", "other salt"])
def test_what_we_have_not_signed_is_no_address(at_provider, acme, made):
    _record, path = at_provider
    token = path.split("/")[-2]
    changed = {
        "a": "a",
        "Ax": token[:-2] + "Ax",
        "other salt": signing.dumps(signing.loads(token, salt=links.SALT), salt="other"),
    }[made]
    assert status_of(reverse("audio_links:audio", args=[changed, "call.wav"])) == 404
    assert fetched(acme) == []


def test_a_connection_test_has_the_sample_fetched(db):
    path = links.link_of_sample("sample.ogg")
    answer = Client().get(path)
    assert (answer.status_code, b"".join(answer.streaming_content)[:4]) == (200, b"OggS")


def test_the_log_of_a_refused_address_does_not_have_it(at_provider, caplog):
    record, path = at_provider
    Record.objects.filter(pk=record.pk).update(state="completed")
    assert status_of(path) == 404
    assert path not in caplog.text
    assert "/x/stt-audio/…" in caplog.text


def test_an_engine_that_stands_in_gives_an_address_that_holds_where_the_record_will_be(linking, acme):
    linking.call()
    job, kind = linking.job, kind_of(linking.job)
    SpeechEngine.objects.filter(name="Tones").update(paused_at=timezone.now())
    job.settings = {**job.settings, "fallbacks": [linking.engine.pk], "stand_in": "paused"}
    job.save()
    take_from_queue(job, current_run(job), until=timezone.now(), count=1)
    [record] = claim_due(job, current_run(job), count=1, span=kind.span(job.settings, 0))
    with enter(acme):
        verdict = kind.session(job.settings, job.filters, place=1).load(acme, [record])[record.id]
    path = verdict.payload.audio.link()
    assert (record.place, status_of(path)) == (0, 404)
    Record.objects.filter(pk=record.id).update(place=1, stage="uploading")
    assert status_of(path) == 200

"""The page of the journal: what a pass and a test have asked, filtered in the address, as CSV, with links for those who may."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from accounts.models import Role
from conversations.selectors import call_facts
from core.ids import uuid7
from jobs.models import JobDefinition, Record
from tenants.doors import enter
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401
from transcription.journal import keeping
from transcription.journal.calls import Call
from transcription.models import EngineTest, SpeechEngine
from transcription.testing import run_test

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_journals():
    """Engines of tests share their keys with those of other tests."""

    def clear():
        client = keeping._client()
        for key in client.scan_iter(f"{keeping.key_of(0)[:-1]}*"):
            client.delete(key)

    clear()
    yield
    clear()


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def engine(system):
    return SpeechEngine.objects.create(name="Words", engine_type="deepgram")


def page(name, *args):
    return reverse(f"transcription:{name}", args=args)


def note(engine, *calls):
    keeping.keep(engine.pk, [call.packed() for call in calls])


def record_of(engine, tenant):
    job = JobDefinition.objects.create(name=f"Job {tenant}", kind="transcription", settings={"engine": engine.pk})
    values = {"record_type": "call", "record_id": uuid7(), "next_at": NOON, "created_at": NOON}
    return Record.objects.create(job=job, tenant=tenant, **values)


def test_a_pass_leaves_its_calls_with_the_record_they_were_for(pipeline, root):  # noqa: F811
    record = pipeline.finish(pipeline.call())[0]
    shown = root.get(page("calls", pipeline.engine.pk))
    calls = list(shown.context["table"].data)
    verbs = [call.verb for call in calls]
    # Passes that find nothing due open the engine, too.
    assert verbs[-1] == "open"
    assert "fetch" in verbs
    [submit] = [call for call in calls if call.verb == "submit"]
    assert {call.record for call in calls if call.verb in {"submit", "poll", "fetch"}} == {record.pk}
    with enter(record.tenant):
        facts = call_facts([record.record_id])[record.record_id]
    assert submit.size == facts.recording.bytes_plain
    address = reverse("jobs:record", args=[record.job_id, record.pk])
    assert address in shown.content.decode()
    overview = root.get(page("overview", pipeline.engine.pk)).content.decode()
    assert address in overview
    assert 'times in <bdi dir="ltr">UTC</bdi>' in overview


def test_a_test_of_the_connection_leaves_its_calls_too(pipeline, root):  # noqa: F811
    test = EngineTest.objects.create(engine=pipeline.engine)
    run_test(str(test.pk))
    test.refresh_from_db()
    assert test.state == "passed", test.steps
    verbs = [call.verb for call in keeping.last_calls(pipeline.engine.pk)]
    assert (verbs[0], verbs[-3:]) == ("cleanup", ["submit", "test", "open"])


def test_calls_are_filtered_in_the_address_and_exported_as_they_are_shown(engine, root):
    note(
        engine,
        Call(NOON, "submit", "ok", "", 120, 4096, None),
        Call(NOON + timedelta(seconds=1), "poll", "RATE", "429", 5),
        Call(NOON + timedelta(seconds=2), "submit", "CONFIG", "INVALID_AUTH", 7),
    )

    def found(query):
        return [call.ms for call in root.get(page("calls", engine.pk) + query).context["table"].data]

    assert found("") == [7, 5, 120]
    assert found("?sort=ms") == [5, 7, 120]
    assert found("?verb=submit") == [7, 120]
    assert found("?outcome=error") == [7, 5]
    assert found("?verb=submit&outcome=CONFIG") == [7]
    assert root.get(page("calls", engine.pk) + "?verb=nothing").status_code == 400
    file = root.get(page("calls", engine.pk) + "?verb=submit&format=csv")
    lines = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()
    file.close()
    assert lines[0] == "Time,Call,Outcome,Code,Milliseconds,Bytes,Record"
    assert lines[1:] == [
        "2026-11-22T12:00:02+00:00,submit,CONFIG,INVALID_AUTH,7,,",
        "2026-11-22T12:00:00+00:00,submit,ok,,120,4096,",
    ]


def test_records_are_linked_for_those_who_may_see_them_alone(engine, root, acme, people, client_for):
    record = record_of(engine, acme)
    note(engine, Call(NOON, "submit", "ok", "", 1, None, record.pk))
    address = reverse("jobs:record", args=[record.job_id, record.pk])
    assert address in root.get(page("calls", engine.pk)).content.decode()
    looker = people.platform_admin
    looker.role = Role.objects.create(
        tenant=looker.tenant, name="Looker", platform=True, scope="system", granted=["engines.view"]
    )
    looker.save()
    looking = client_for(looker).get(page("calls", engine.pk))
    assert looking.status_code == 200
    assert address not in looking.content.decode()
    assert f">{record.pk}<" in looking.content.decode()


def test_a_journal_that_is_away_is_said_and_the_page_of_the_engine_still_works(engine, root, monkeypatch):
    assert "No call yet" in root.get(page("calls", engine.pk)).content.decode()
    for module in ("transcription.journal.pages", "transcription.configuring.views"):
        monkeypatch.setattr(f"{module}.last_calls", lambda *_asked: None)
    assert "cannot be read now" in root.get(page("calls", engine.pk)).content.decode()
    assert "cannot be read now" in root.get(page("overview", engine.pk)).content.decode()

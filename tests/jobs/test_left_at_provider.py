"""An upload whose answer never came is deleted at the provider when its record ends, whatever ended it (security R9)."""

import pytest
from django.db.models.functions import Now

from conversations.services import delete_call
from jobs.actions import abort_records
from jobs.models import Cleanup, JobDefinition, Record
from jobs.upkeep.cleanups import run_cleanups
from tenants.doors import enter
from tests.jobs.conftest import Pipeline, two_channels
from tests.polling import until

LOST = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "accept_then_drop": True}


def at_the_provider(pipeline: Pipeline) -> dict[str, str]:
    """The jobs there: id and our reference."""
    items = pipeline.server.call("GET", "/v2/transcriptions?limit=200").json["items"]
    return {item["id"]: item["config"]["metadata"].get("ref", "") for item in items}


def unanswered(pipeline: Pipeline):
    """A call whose upload the provider has taken without our knowing."""
    pipeline.server.control("POST", "/_emu/faults", LOST)
    call = pipeline.call()
    until(lambda: pipeline.sweep() or Record.objects.filter(record_id=call.pk, errors=1).exists())
    record = pipeline.record_of(call)
    assert (record.stage, record.remote) == ("uploading", None)
    assert record.reference in at_the_provider(pipeline).values()
    return call, record


def clean_up() -> None:
    """What is due, and what will be."""
    Cleanup.objects.update(due_at=Now())
    run_cleanups()
    assert not Cleanup.objects.exists()


@pytest.fixture
def stranger(pipeline) -> str:
    """A job of somebody else at the same provider."""
    return pipeline.server.submit(two_channels(4, offset=77), {"metadata": {"ref": "somebody else's"}})


def test_when_the_call_is_deleted_before_the_next_try(pipeline, stranger, acme):
    call, record = unanswered(pipeline)
    with enter(acme):
        delete_call(tenant=acme, call_id=call.pk, actor="test")
    Record.objects.filter(pk=record.pk).update(next_at=Now())
    pipeline.finish(call)
    clean_up()
    there = at_the_provider(pipeline)
    assert record.reference not in there.values()
    assert stranger in there


def test_when_an_operator_aborts_it_what_arrives_meanwhile_goes_too(pipeline, stranger, system):
    _call, record = unanswered(pipeline)
    abort_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    assert run_cleanups() == 0, "it may still be on its way"
    clean_up()
    there = at_the_provider(pipeline)
    assert record.reference not in there.values()
    assert stranger in there


def test_when_it_was_tried_often_enough(pipeline, stranger):
    JobDefinition.objects.filter(pk=pipeline.job.pk).update(max_attempts=1)
    pipeline.job.refresh_from_db()
    pipeline.server.control("POST", "/_emu/faults", LOST)
    call = pipeline.call()
    (record,) = pipeline.finish(call)
    assert (record.state, record.reason) == ("failed", "engine_transient")
    assert record.reference in at_the_provider(pipeline).values()
    clean_up()
    there = at_the_provider(pipeline)
    assert record.reference not in there.values()
    assert stranger in there


def test_a_provider_that_cannot_be_asked_is_asked_again(pipeline):
    _call, record = unanswered(pipeline)
    pipeline.server.control("POST", "/_emu/faults", {"match": {"method": "GET"}, "status": 500})
    Cleanup.objects.create(
        kind="transcription",
        settings={"engine": pipeline.engine.pk},
        tenant_id=record.tenant_id,
        remote={"reference": record.reference},
        due_at=Now(),
    )
    assert run_cleanups() == 0
    assert Cleanup.objects.get().attempts == 1
    clean_up()
    assert record.reference not in at_the_provider(pipeline).values()

"""What a call shows while several jobs look at it: the one that works on it, not the one that leaves it out."""

import pytest

from conversations.models import Call
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.services import save_job, set_enabled
from tenants.doors import enter
from tests.jobs.conftest import Pipeline, job_values, pipeline, queue_of_recordings, speech, speech_server  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def second(pipeline: Pipeline, system):  # noqa: F811
    """Makes a second job with a queue of its own, which collects the same calls."""

    def make(**changes) -> JobDefinition:
        queue = queue_of_recordings("Recorded, too", system)
        values = job_values(pipeline.engine, queue, name="Second", **changes)
        return save_job(job=None, values=values, tenant_groups=[], publish_to=[], actor="test", audit_tenant=system)

    return make


@pytest.fixture
def stranger(second, globex):
    """A second job, for another tenant alone."""
    return second(access_scope="one_tenant", tenant=globex)


def shown(acme, call: Call) -> tuple[str, str]:
    with enter(acme):
        call.refresh_from_db()
    return call.transcription_state, call.transcription_reason


def test_a_job_for_another_tenant_does_not_hide_that_a_call_waits_or_is_worked_on(pipeline, stranger, acme):  # noqa: F811
    call = pipeline.call()
    run_pass(stranger.pk)
    assert Record.objects.get(job=stranger, record_id=call.pk).reason == "filtered:access_scope"
    assert shown(acme, call) == ("none", "")
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    assert shown(acme, call) == ("in_progress", "")
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    pipeline.finish(call)
    assert shown(acme, call) == ("completed", "")


def test_a_job_that_leaves_a_call_out_does_not_hide_that_another_works_on_it(pipeline, second, acme):  # noqa: F811
    other = second(filters=[{"field": "call.duration", "op": "between", "value": [600, 7200]}])
    call = pipeline.call()
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    pipeline.sweep()
    run_pass(other.pk)
    assert Record.objects.get(job=other, record_id=call.pk).state == "skipped"
    assert shown(acme, call) == ("in_progress", "")


def test_where_no_job_is_for_the_tenant_the_call_says_that_it_was_left_out(pipeline, stranger, acme, system):  # noqa: F811
    set_enabled(job=pipeline.job, enabled=False, actor="test", audit_tenant=system)
    call = pipeline.call()
    run_pass(stranger.pk)
    assert shown(acme, call) == ("skipped", "filtered:access_scope")

"""What happens to a task that was final already: run again, or a conversation of it deleted (5.1, 5.2)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.models import Call
from conversations.services import delete_call
from jobs.actions import retry_records
from jobs.models import Record
from jobs.upkeep.marks import show_marks
from miaop.models import Task
from tenants.doors import enter
from tests.conversations.test_bulk import do
from tests.jobs.conftest import pipeline, speech, speech_server, two_channels
from tests.licensing.conftest import set_limits
from tests.miaop.conftest import stored_task
from tests.miaop.test_flow import submitted
from tests.miaop.test_submitting import folder, submit

__all__ = ["folder", "pipeline", "speech", "speech_server", "submit"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def one(pipeline, submit, people, acme, ask):
    """A task of one meeting: ``one.status()``, ``one.transcript()``, its call, and the pipeline."""

    class One:
        def __init__(self):
            self.task_id, [self.call] = submitted(submit, people, acme, {"one.wav": two_channels(5)})

        def finish(self):
            pipeline.finish(self.call)

        def status(self):
            meeting = ask(people.tenant_admin, f"/api/meetings/1.{self.task_id}").json()["metadata"]["status"]
            task = ask(people.tenant_admin, f"/api/tasks/{self.task_id}").json()
            assert meeting == task["taskStatus"]
            return meeting

        def moment(self):
            return ask(people.tenant_admin, f"/api/tasks/{self.task_id}").json()["taskUpdateTimeNumeric"]

        def transcript(self):
            answer = ask(people.tenant_admin, f"/api/stt/1.{self.task_id}/0")
            return answer.json().get("error", {}).get("code") or len(answer.json()["transcription"])

        def retry(self):
            assert retry_records(records=Record.objects.all(), actor="test", audit_tenant=acme) == 1
            show_marks()

    return One()


def test_52_a_failed_meeting_that_an_operator_retries_waits_and_then_succeeds(one, acme):
    set_limits(acme, org_month=0)
    one.finish()
    assert (one.status(), one.transcript()) == ("error", "TRANSCRIPTION_FAILED")
    failed = one.moment()
    set_limits(acme, org_month=None)
    one.retry()
    assert (one.status(), one.transcript()) == ("sttPending", "TRANSCRIPTION_NOT_READY")
    assert one.moment() > failed
    one.finish()
    assert (one.status(), one.transcript()) == ("sttDone", 2)


def test_52_a_finished_meeting_that_is_run_again_waits_and_keeps_its_transcript_when_that_fails(one, acme):
    one.finish()
    assert (one.status(), one.transcript()) == ("sttDone", 2)
    one.retry()
    assert (one.status(), one.transcript()) == ("sttPending", "TRANSCRIPTION_NOT_READY")
    set_limits(acme, org_month=0)
    one.finish()
    assert Record.objects.get().state != "completed"
    assert (one.status(), one.transcript()) == ("sttDone", 2)


def test_52_a_failed_meeting_processed_again_by_a_page_waits_at_once_and_an_aborted_one_stays(
    one, acme, people, client_for, ask
):
    set_limits(acme, org_month=0)
    one.finish()
    stored_task(acme, "aborted", states=("aborted",))
    do(client_for(people.tenant_admin), "process")
    assert one.status() == "sttPending"
    assert ask(people.tenant_admin, "/api/tasks/aborted").json()["taskStatus"] == "error"
    set_limits(acme, org_month=None)
    one.finish()
    assert one.status() == "sttDone"


@pytest.mark.parametrize("by_page", [True, False])
def test_51_the_moment_of_a_task_goes_on_when_a_conversation_is_deleted(ask, people, acme, client_for, by_page):
    stored_task(acme, "t", states=("completed", "completed"))

    def moment():
        return ask(people.tenant_admin, "/api/tasks/t").json()["taskUpdateTimeNumeric"]

    hour_ago = timezone.now() - timedelta(hours=1)
    with enter(acme):
        Task.objects.update(changed_at=hour_ago)
        Call.objects.filter(external_id="1.t").update(transcription_at=hour_ago)
        newest = Call.objects.get(external_id="2.t").pk
    before = moment()
    if not by_page:
        with enter(acme):
            delete_call(tenant=acme, call_id=newest, actor="test")
    if by_page:
        ada = client_for(people.tenant_admin)
        do(ada, "delete", selection=[str(newest)])
    assert moment() > before
    with enter(acme):
        assert Call.objects.count() == 1
    assert ask(people.tenant_admin, "/api/meetings/2.t").json()["metadata"]["errorInfo"]["name"] == "Aborted"

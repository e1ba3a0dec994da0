"""What pages and further answers say about a meeting: the sender's attributes, warnings, values (R4.6, R5.3)."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from aiassistant.executing.models import Execution
from conversations.fields.writing import NewValue, write_values
from conversations.models import Call
from tenants.doors import enter
from tests.customfields.making import SCORE, made
from tests.miaop.conftest import stored_task
from tests.miaop.test_reading import finished
from tests.miaop.test_submitting import described, folder, not_audio, submit

__all__ = ["folder", "submit"]
pytestmark = pytest.mark.django_db


def test_r46_what_the_sender_added_stands_on_the_page_of_the_call_as_text(
    submit, people, acme, client_for, monkeypatch
):
    monkeypatch.setattr("conversations.intake.inspect_audio", not_audio)
    info = {"crm": "<b>A-17</b>", "number": 7, "deep": {"x": "not shown"}}
    assert (
        submit(people.tenant_admin, described("a.wav", genericAdditionalInfo=info), {"a.wav": b"x"}).status_code == 200
    )
    with enter(acme):
        call = Call.objects.get()
    assert call.attributes == {"miaop.crm": "<b>A-17</b>", "miaop.number": 7}
    page = client_for(people.tenant_admin).get(reverse("conversations:call", args=[call.pk])).content.decode()
    assert "<bdi>miaop.crm</bdi></dt><dd><bdi>&lt;b&gt;A-17&lt;/b&gt;</bdi>" in page
    assert "<bdi>miaop.number</bdi></dt><dd><bdi>7</bdi>" in page
    assert "not shown" not in page


def executed(tenant, call, state, key="mood"):
    now = timezone.now()
    Execution.objects.create(
        tenant=tenant,
        record_type="call",
        record_id=call.pk,
        task_key=key,
        task_label="Mood v1",
        task_version=1,
        state=state,
        started_at=now,
        ended_at=now,
    )


def test_r53_a_finished_meeting_warns_of_an_ai_task_that_failed_last(ask, people, acme):
    finished(acme, "t")
    with enter(acme):
        call = Call.objects.get()

    def problem():
        return ask(people.tenant_admin, "/api/meetings/1.t").json()["metadata"].get("errorInfo")

    executed(acme, call, "completed", key="other")
    assert problem() is None
    executed(acme, call, "failed")
    assert (problem()["name"], problem()["errorLevel"]) == ("AiTasksFailed", "warning")
    assert ask(people.tenant_admin, "/api/tasks/t").json()["taskStatus"] == "sttDone"
    executed(acme, call, "completed")
    assert problem() is None


def test_a_summary_holds_the_values_that_the_caller_may_see_and_no_others(ask, people, acme):
    finished(acme, "t")
    stored_task(acme, "empty")
    fields = {
        "gist": made("gist", attribute="summary"),
        "mood": made("mood", "score", settings=SCORE, attribute="sentiment"),
        "order": made("order"),
    }
    with enter(acme):
        call = Call.objects.get(external_id="1.t")
        said = {"gist": "A broken parcel", "mood": 40, "order": "A-17"}
        rows = [NewValue("call", call.pk, fields[key].pk, value) for key, value in said.items()]
        write_values(tenant=acme, rows=rows, actor="job:1")
    assert ask(people.tenant_admin, "/api/meetings/1.t/summary").json() == {
        "meetingId": "1.t",
        "status": "sttDone",
        "fields": [{"name": "Order", "type": "text", "value": "A-17"}],
        "summary": [{"name": "Gist", "type": "text", "value": "A broken parcel"}],
        "sentiment": [{"name": "Mood", "type": "score", "value": 40}],
        "topics": [],
    }
    assert ask(people.tenant_admin, "/api/meetings/1.empty/summary").json()["summary"] == []
    role = {"scope": "system", "granted": ["miaop.read", "calls.others.view", "call_attributes.sentiment.view"]}
    people.agent.role = Role.objects.create(tenant=acme, name="Listener", **role)
    people.agent.save()
    seen = ask(people.agent, "/api/meetings/1.t/summary").json()
    assert seen == {
        "meetingId": "1.t",
        "status": "sttDone",
        "sentiment": [{"name": "Mood", "type": "score", "value": 40}],
    }

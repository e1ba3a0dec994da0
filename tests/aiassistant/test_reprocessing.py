"""Reprocess with AI: from the page of a conversation and by filter, through the queues of AI jobs (domain A10)."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from conversations.fields.editing import edit_value
from conversations.models import Call
from queues.models import ProcessingQueue, QueueItem
from tenants.doors import enter
from tests.aiassistant.house import SUMMARY, emulator, house  # noqa: F401

pytestmark = pytest.mark.django_db
BUTTON = 'name="action" value="analyse"'


@pytest.fixture
def answered(house):  # noqa: F811
    """A call and a chat that a job has asked about, twice if it is told so."""
    house.task("summary", [SUMMARY])
    house.work(anew=True)
    call, chat = house.call(), house.chat()
    house.finish(call, chat)
    return call, chat


def reprocess(client, query="", **posted):
    answer = client.post(reverse("conversations:calls_bulk") + query, {"action": "analyse", **posted})
    return client.post(answer["Location"], follow=True)


def test_what_matches_a_filter_is_asked_about_again_with_one_row_in_the_trail(house, people, client_for, answered):  # noqa: F811
    done = reprocess(client_for(people.tenant_admin), "?channel=chat").content.decode()
    assert "1 conversation was put into queues" in done
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.details["count"], entry.details["filters"]) == ("calls.analysed", 1, ["channel"])
    call, chat = answered
    assert list(QueueItem.objects.values_list("record_id", "event")) == [(chat.pk, "requeued")]
    house.sweep()
    house.finish(call, chat)
    assert [len(house.executions(one)) for one in answered] == [1, 2]


def test_a_value_that_a_person_edited_stays_and_the_answer_is_held_back(house, people, client_for, answered):  # noqa: F811
    call, _chat = answered
    with enter(house.acme):
        edit_value(
            tenant=house.acme,
            key=("call", call.pk),
            field=house.fields["summary"],
            value="By hand",
            editor=people.tenant_admin,
            seen=house.values(call)["summary"].pk,
        )
    reprocess(client_for(people.tenant_admin), selection=[str(call.pk)])
    house.sweep()
    house.finish(call)
    assert len(house.executions(call)) == 2
    assert (house.values(call)["summary"].text, house.values(call)["summary"].pinned) == ("By hand", True)


def test_it_is_offered_only_where_a_queue_collects_the_text(house, people, client_for, answered):  # noqa: F811
    client = client_for(people.tenant_admin)
    pages = [reverse("conversations:call", args=[one.pk]) for one in answered]
    assert [BUTTON in client.get(page).content.decode() for page in pages] == [True, True]
    queues = ProcessingQueue.objects.filter(pk=house.queue.pk)
    queues.update(events=["call.transcription_completed"])
    assert [BUTTON in client.get(page).content.decode() for page in pages] == [True, False]
    queues.update(enabled=False)
    assert [BUTTON in client.get(page).content.decode() for page in pages] == [False, False]
    refused = reprocess(client, selection=[str(answered[0].pk)])
    assert refused.status_code == 409
    assert "No enabled queue collects transcripts and threads" in refused.content.decode()


def test_who_may_not_change_calls_neither_sees_nor_reaches_it(house, people, client_for, answered):  # noqa: F811
    from accounts.models import Role

    rights = ["calls.own.view", "calls.others.view", "calls.own.playback", "calls.others.playback", "transcript.view"]
    people.agent.role = Role.objects.create(tenant=house.acme, name="Reader", scope="system", granted=rights)
    people.agent.save()
    client = client_for(people.agent)
    assert BUTTON not in client.get(reverse("conversations:call", args=[answered[0].pk])).content.decode()
    refused = client.post(reverse("conversations:calls_bulk"), {"action": "analyse"})
    assert refused.status_code == 403
    assert not QueueItem.objects.exists()


def test_what_came_for_ai_on_request_is_not_asked_about_before_a_person_asks(house, people, client_for):  # noqa: F811
    house.task("summary", [SUMMARY])
    house.work()
    wanted, unwanted = house.call(), house.call()
    with enter(house.acme):
        Call.objects.filter(pk=unwanted.pk).update(ai_on_request=True)
    asked, skipped = house.finish(wanted, unwanted)
    assert (asked.state, skipped.state, skipped.reason) == ("completed", "skipped", "on_request")
    assert [len(house.executions(one)) for one in (wanted, unwanted)] == [1, 0]
    reprocess(client_for(people.tenant_admin), selection=[str(unwanted.pk)])
    house.sweep()
    assert house.finish(unwanted)[0].state == "completed"
    assert house.values(unwanted)["summary"].text
    with enter(house.acme):
        assert not Call.objects.filter(ai_on_request=True).exists()

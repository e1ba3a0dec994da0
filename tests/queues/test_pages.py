"""Pages of processing queues: each rule with its success and its refusal."""

import re

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from jobs.models import JobDefinition
from queues.models import ProcessingQueue, QueueItem
from tests.queues.filling import fill


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])


def values(**changes):
    return {
        "name": "Transcribe",
        "enabled": "on",
        "scope": "global",
        "record_type": "call",
        "events": ["call.recording_finished"],
        **changes,
    }


def test_the_list_shows_pending_scope_events_and_that_nobody_reads(root, queue, acme):
    fill(queue, acme, 3)
    page = root.get(reverse("queues:queues"))
    assert page.status_code == 200
    text = page.content.decode()
    for shown in ("Calls", "Global", "Call - Recording finished", ">3<", "No job", "Dead letters"):
        assert shown in text, shown


def test_a_queue_needs_a_new_name_events_of_its_type_and_a_whole_scope(root, queue):
    url = reverse("queues:add")
    for changes, message in [
        ({"name": "calls"}, "There is a queue with this name."),
        ({"events": ["integration_event.created"]}, "must belong to the record type"),
        ({"scope": "one_tenant"}, "needs a tenant"),
        ({"scope": "tenant_groups"}, "at least one group"),
        ({"events": ["nonsense"]}, "nonsense"),
        ({"name": "a\x00b"}, "Null characters"),
    ]:
        page = root.post(url, values(**changes))
        assert page.status_code == 422, changes
        assert message in page.content.decode(), changes
    assert ProcessingQueue.objects.count() == 1
    saved = root.post(url, values(), follow=True)
    assert "No job reads this queue." in saved.content.decode()
    assert ProcessingQueue.objects.get(name="Transcribe").events == ["call.recording_finished"]
    assert AuditEntry.objects.filter(action="queue.created").exists()


def test_the_second_of_two_admins_gets_a_conflict_and_keeps_what_was_typed(root, queue):
    url = reverse("queues:edit", args=[queue.pk])
    assert re.search(r'name="version"[^>]*value="1"', root.get(url).content.decode())
    assert root.post(url, values(name="First", version=1)).status_code == 302
    page = root.post(url, values(name="Second", version=1))
    assert page.status_code == 409
    assert re.search(r"Changed in the meantime by \S+ \([\d :-]+\): .*name", page.content.decode())
    assert 'value="Second"' in page.content.decode()
    queue.refresh_from_db()
    assert (queue.name, queue.version) == ("First", 2)


def test_deleting_needs_the_typed_name_and_says_how_many_go(root, queue, acme):
    fill(queue, acme, 2)
    url = reverse("queues:delete", args=[queue.pk])
    assert "2 pending records" in root.get(url).content.decode()
    assert root.post(url, {"confirm_name": "Call"}).status_code == 422
    assert QueueItem.objects.count() == 2
    assert root.post(url, {"confirm_name": "Calls"}).status_code == 302
    assert not ProcessingQueue.objects.exists()
    assert not QueueItem.objects.exists()


def test_a_queue_that_a_job_reads_cannot_be_deleted(root, queue):
    JobDefinition.objects.create(name="Reader", kind="transcription", source_queue=queue)
    page = root.post(reverse("queues:delete", args=[queue.pk]), {"confirm_name": "Calls"})
    assert page.status_code == 409
    assert "Reader" in page.content.decode()
    assert ProcessingQueue.objects.exists()


def test_purging_needs_the_typed_name_shows_the_count_first_and_keeps_the_queue(root, queue, acme):
    fill(queue, acme, 4)
    url = reverse("queues:purge", args=[queue.pk])
    assert "4 pending records" in root.get(url).content.decode()
    for typed in ({}, {"confirm_name": "calls"}):
        assert root.post(url, typed).status_code == 422
    assert QueueItem.objects.count() == 4
    assert root.post(url, {"confirm_name": "Calls"}).status_code == 302
    assert AuditEntry.objects.get(action="queue.purged").details == {"name": "Calls", "removed": 4}
    assert not QueueItem.objects.exists()
    assert ProcessingQueue.objects.exists()


def test_bulk_disables_the_chosen_and_enables_all_that_match(root, queue):
    other = ProcessingQueue.objects.create(name="Other", events=["call.created"])
    url = reverse("queues:bulk")
    root.post(url, {"action": "disable", "selection": [str(other.pk), "nonsense", "99999999999999"]})
    assert list(ProcessingQueue.objects.filter(enabled=False)) == [other]
    root.post(f"{url}?q=oth", {"action": "enable", "all_matching": "1"})
    assert not ProcessingQueue.objects.filter(enabled=False).exists()
    assert root.post(url, {"action": "explode"}).status_code == 400
    assert root.get(url).status_code == 405


def test_only_those_with_the_permission_see_or_change_queues(client_for, people, queue):
    urls = ["queues:queues", "queues:add"]
    client = client_for(people.tenant_admin)
    for name in urls:
        page = client.get(reverse(name))
        assert page.status_code == 403
        assert "queues." in page.content.decode()
    assert client.post(reverse("queues:purge", args=[queue.pk])).status_code == 403
    assert client_for(people.platform_admin).get(reverse("queues:queues")).status_code == 200


def test_unknown_queues_are_not_found(root):
    for name in ("queue", "edit", "drain", "purge", "delete"):
        assert root.get(reverse(f"queues:{name}", args=[2**62])).status_code == 404


def test_the_export_is_what_is_shown_and_runs_no_formula(root, queue):
    ProcessingQueue.objects.create(name='=cmd|"calc"', events=["call.created"])
    ProcessingQueue.objects.create(name="@sum", enabled=False, events=["call.created"])
    answer = root.get(reverse("queues:queues"), {"format": "csv", "enabled": "true", "sort": "-name"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert answer["Content-Disposition"].startswith("attachment")
    lines = text.splitlines()
    assert lines[0].startswith("Name,Status,Scope")
    assert lines[1].startswith("Calls,Enabled,Global,Call")
    assert lines[2].startswith("\"'=cmd")
    assert len(lines) == 3


def test_a_poll_gets_204_until_something_changes(root, queue, acme):
    url = reverse("queues:queues")
    stamp = root.get(url)["ETag"]
    poll = {"HX-Request": "true", "HX-Target": "div#list"}
    assert root.get(url, headers={**poll, "If-None-Match": stamp}).status_code == 204
    fill(queue, acme, 1)
    changed = root.get(url, headers={**poll, "If-None-Match": stamp})
    assert changed.status_code == 200
    assert b'id="list"' in changed.content
    assert b"<html" not in changed.content
    assert root.get(url, headers={"If-None-Match": stamp}).status_code == 200


def test_sizes_and_pages_are_clamped_and_wrong_filters_are_named(root):
    ProcessingQueue.objects.bulk_create(ProcessingQueue(name=f"Q{n:03}", events=["call.created"]) for n in range(30))
    url = reverse("queues:queues")
    page = root.get(url, {"per_page": "7", "page": "99"})
    assert page.context["table"].page.paginator.per_page == 25
    assert page.context["table"].page.number == 2
    assert root.get(url, {"page": "-1", "sort": "nonsense"}).status_code == 200
    refused = root.get(url, {"scope": "nonsense"})
    assert refused.status_code == 400
    assert len(refused.context["table"].rows) == 0


def test_the_number_of_queries_does_not_grow_with_the_rows(root, acme, django_assert_max_num_queries):
    for number in range(20):
        queue = ProcessingQueue.objects.create(name=f"Q{number}", events=["call.created"])
        fill(queue, acme, 1)
    with django_assert_max_num_queries(15):
        assert root.get(reverse("queues:queues")).status_code == 200


def test_a_queue_takes_events_of_its_record_type_or_none(root):
    url = reverse("queues:add")
    assert root.post(url, values(record_type="meeting", events=["call.created"])).status_code == 422
    assert root.post(url, values(record_type="call", events=["conversation.created"])).status_code == 422
    # A call is a conversation, too: one job asks AI tasks about both.
    assert root.post(url, values(name="Both", record_type="conversation", events=["call.created"])).status_code == 302
    texts = values(name="Texts", record_type="conversation", events=["conversation.created"])
    assert root.post(url, texts).status_code == 302
    assert root.post(url, values(name="Chats", record_type="conversation", events=[])).status_code == 302
    assert ProcessingQueue.objects.get(name="Chats").record_type == "conversation"


def test_bulk_pauses_and_resumes_and_the_list_finds_paused_queues(root, queue):
    other = ProcessingQueue.objects.create(name="Other", events=["call.created"])
    url = reverse("queues:bulk")
    root.post(url, {"action": "pause", "selection": [str(other.pk)]})
    assert list(ProcessingQueue.objects.filter(paused=True)) == [other]
    page = root.get(reverse("queues:queues"), {"enabled": "paused"})
    assert [row.record.pk for row in page.context["table"].rows] == [other.pk]
    assert "Paused" in page.content.decode()
    root.post(url, {"action": "resume", "selection": [str(other.pk), str(queue.pk)]})
    assert not ProcessingQueue.objects.filter(paused=True).exists()
    assert AuditEntry.objects.get(action="queue.resumed").details == {"names": ["Other"]}


def test_a_queue_that_jobs_publish_to_needs_no_event_and_one_that_nothing_fills_warns(root, queue):
    saved = root.post(reverse("queues:add"), values(name="Fed", events=[]), follow=True)
    text = "Nothing fills this queue: it has no event, and no job publishes to it."
    assert text in saved.content.decode()
    fed = ProcessingQueue.objects.get(name="Fed")
    pages = [reverse("queues:queue", args=[fed.pk]), reverse("queues:edit", args=[fed.pk]), reverse("queues:queues")]
    assert all(text in root.get(page).content.decode() for page in pages)
    job = JobDefinition.objects.create(name="Feeder", kind="transcription", source_queue=queue)
    job.publish_to.add(fed)
    JobDefinition.objects.create(name="Reader", kind="transcription", source_queue=fed)
    for page in pages:
        assert "Nothing fills this queue" not in root.get(page).content.decode(), page
    assert "Feeder" in root.get(pages[0]).content.decode()
    JobDefinition.objects.filter(pk=job.pk).update(enabled=False)
    assert "the jobs that publish to it are disabled" in root.get(pages[0]).content.decode()

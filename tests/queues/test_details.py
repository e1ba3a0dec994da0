"""The page of one queue: what it shows to whom, and pause, resume, drain with their refusals."""

import uuid

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from accounts.services import create_user
from audit.models import AuditEntry
from jobs.models import JobDefinition
from jobs.passes.runs import current_run
from queues.describing import time_to_empty
from queues.events import Event
from queues.models import ProcessingQueue, QueueItem, QueuePurge
from queues.replication.models import QueueCopy, ReplicationConflict
from queues.selectors import queue_pages
from queues.services import publish, set_paused
from tenants.services import create_group
from tests.conftest import PASSWORD
from tests.jobs.pages import make_records
from tests.queues.filling import fill


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.fixture
def queue(db):
    return ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])


def reader(queue, name, **changes):
    return JobDefinition.objects.create(name=name, kind="transcription", source_queue=queue, **changes)


def address(queue, name="queue"):
    return reverse(f"queues:{name}", args=[queue.pk])


def test_the_page_shows_backlog_readers_and_the_oldest_items_by_id(root, queue, acme):
    reader(queue, "Transcribe calls")
    young, old = fill(queue, acme, 1)[0], fill(queue, acme, 1, minutes_ago=50)[0]
    page = root.get(address(queue))
    text = page.content.decode()
    assert [item.pk for item, _event in page.context["peek"]] == [old.pk, young.pk]
    for shown in (str(old.record_id), "acme", "Call - Created", "Transcribe calls", "50\xa0minutes ago", "Purge"):
        assert shown.lower() in text.lower(), shown
    assert page.context["pending"] == "2"
    assert page.context["warnings"] == []


def test_a_peek_is_as_long_as_asked_for_and_never_longer_than_offered(root, queue, acme):
    fill(queue, acme, 60)
    for asked, number in (("", 20), ("50", 50), ("5000000", 20), ("x", 20)):
        assert len(root.get(address(queue), {"peek": asked}).context["peek"]) == number


def test_list_page_and_form_warn_of_no_reader_of_a_disabled_one_and_of_two(root, queue):
    def warned(text):
        listed = root.get(reverse("queues:queues")).content.decode()
        assert text in listed
        for name in ("queue", "edit"):
            page = root.get(address(queue, name))
            assert text in page.content.decode(), name
        return page.content.decode()

    warned("No job reads this queue.")
    first = reader(queue, "First", enabled=False)
    warned("No job that is enabled reads this queue.")
    second = reader(queue, "Second")
    assert root.get(address(queue)).context["warnings"] == []
    JobDefinition.objects.update(enabled=True)
    text = warned("2 jobs read this queue")
    for job in (first, second):
        assert reverse("jobs:job", args=[job.pk]) in text
    first.delete()
    assert root.get(address(queue)).context["warnings"] == []


def test_a_paused_queue_still_collects_says_so_everywhere_and_is_paused_once(root, queue, acme):
    assert root.post(address(queue, "pause")).url == address(queue)
    row = root.get(reverse("queues:queues")).context["table"].rows[0]
    assert "Paused" in row.get_cell("enabled")
    assert [word for _state, word, _note in root.get(address(queue)).context["states"]] == ["Enabled", "Paused"]
    assert "The queue is paused" in root.get(address(queue, "edit")).content.decode()
    job = reader(queue, "Transcribe", settings={"engine": 0})
    for page in (reverse("jobs:jobs"), reverse("jobs:latest_run", args=[job.pk])):
        assert "Jobs take nothing from it." in root.get(page).content.decode(), page
    with transaction.atomic():
        publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[uuid.uuid4()])
    assert QueueItem.objects.count() == 1
    again = root.post(address(queue, "pause"), follow=True)
    assert "The queue is paused already." in again.content.decode()
    root.post(address(queue, "resume"))
    again = root.post(address(queue, "resume"), follow=True)
    assert "The queue is not paused." in again.content.decode()
    entries = AuditEntry.objects.filter(target_type="queue").order_by("pk")
    assert list(entries.values_list("action", flat=True)) == ["queue.paused", "queue.resumed"]


def test_draining_says_what_is_lost_collects_nothing_new_and_resumes(root, queue, acme):
    fill(queue, acme, 3)
    root.post(address(queue, "pause"))
    question = root.get(address(queue, "drain")).content.decode()
    for said in ("3 pending records are worked off", "not collected", "draining resumes it"):
        assert said in question
    done = root.post(address(queue, "drain"), follow=True)
    assert "3 records are left" in done.content.decode()
    assert "Draining" in done.content.decode()
    with transaction.atomic():
        assert publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[uuid.uuid4()]) == []
    queue.refresh_from_db()
    assert (queue.enabled, queue.paused) == (False, False)
    assert AuditEntry.objects.get(action="queue.draining").details == {"name": "Calls", "pending": 3}
    assert root.post(address(queue, "drain")).status_code == 409
    root.post(address(queue, "enable"))
    queue.refresh_from_db()
    assert queue.enabled


def test_draining_shows_how_far_it_is_until_the_queue_collects_again(root, queue, acme):
    items = fill(queue, acme, 4)
    assert root.get(address(queue)).context["draining"] is None
    root.post(address(queue, "drain"))
    QueueItem.objects.filter(pk__in=[item.pk for item in items[:3]]).delete()
    page = root.get(address(queue))
    assert page.context["draining"].text == "3 of 4 worked off"
    assert "Being drained" in page.content.decode()
    fill(queue, acme, 6)
    assert root.get(address(queue)).context["draining"].text == "0 of 7 worked off"
    QueueItem.objects.all().delete()
    page = root.get(address(queue))
    assert page.context["draining"].text == "4 of 4 worked off"
    assert "Drained" in page.content.decode()
    root.post(address(queue, "enable"))
    assert root.get(address(queue)).context["draining"] is None


def test_a_queue_that_was_drained_empty_or_only_disabled_shows_no_progress(root, queue, acme):
    root.post(address(queue, "drain"))
    assert root.get(address(queue)).context["draining"] is None
    root.post(address(queue, "enable"))
    fill(queue, acme, 2)
    root.post(reverse("queues:bulk"), {"action": "disable", "selection": [queue.pk]})
    assert root.get(address(queue)).context["draining"] is None


def test_deleting_a_read_queue_names_every_job_that_reads_it(root, queue):
    reader(queue, "First")
    reader(queue, "Second")
    page = root.post(address(queue, "delete"), {"confirm_name": "Calls"})
    assert page.status_code == 409
    assert "The jobs “First”, “Second” read this queue." in page.content.decode()


def test_staff_of_some_groups_peek_at_the_items_and_count_the_dead_letters_of_their_tenants_only(
    client_for, people, queue, acme, globex, system
):
    codes = ["queues.view"]
    role = Role.objects.create(tenant=system, name="Q", platform=True, scope="managed_groups", granted=codes)
    group = create_group(name="Gold", tenants=[acme], actor="test", audit_tenant=system)
    someone = create_user(tenant=system, username="gina", password=PASSWORD, role="platform_admin", actor="test")
    User.objects.filter(pk=someone.pk).update(role=role)
    someone.managed_tenant_groups.set([group])
    job = reader(queue, "Transcribe")
    make_records(job, acme, 1, state="failed")
    make_records(job, globex, 2, state="failed")
    mine = fill(queue, acme, 1)[0]
    theirs = fill(queue, globex, 1)[0]
    page = client_for(User.objects.get(pk=someone.pk)).get(address(queue))
    text = page.content.decode()
    assert page.context["reading"].dead == 1
    assert str(mine.record_id) in text
    assert str(theirs.record_id) not in text
    assert "Globex" not in text


CHANGES = {
    "an item": lambda queue, acme: fill(queue, acme, 1),
    "a setting": lambda queue, acme: set_paused(queues=[queue], paused=True, actor="test", audit_tenant=acme),
    "a reader": lambda queue, acme: reader(queue, "New"),
    "a dead letter": lambda queue, acme: current_run(JobDefinition.objects.get()),
    "a purge": lambda queue, acme: QueuePurge.objects.create(
        queue=queue, until=0, total=1, actor="test", audit_tenant=acme, asked_at=timezone.now()
    ),
    "a conflict": lambda queue, acme: other_queue(queue),
}


def other_queue(queue) -> None:
    copy = QueueCopy.objects.create(
        origin=uuid.uuid4(), origin_queue=1, origin_name="Other", seen_version=1, received_at=timezone.now()
    )
    ReplicationConflict.objects.create(
        copy=copy, kind="saved", version=1, name=queue.name, reason="name", theirs={}, queue=queue
    )


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("region", ["queue", "list"])
def test_polls_get_204_in_few_queries_until_anything_changes(
    root, queue, acme, change, region, django_assert_num_queries, monkeypatch
):
    monkeypatch.setattr("jobs.pulse.minute", lambda: "12:00")
    reader(queue, "Transcribe")
    url = address(queue) if region == "queue" else reverse("queues:queues")
    poll = {"HX-Request": "true", "HX-Target": f"div#{region}", "If-None-Match": root.get(url)["ETag"]}
    # Two doors, session, person; queues and their readers.
    with django_assert_num_queries(6):
        assert root.get(url, headers=poll).status_code == 204
    CHANGES[change](queue, acme)
    assert root.get(url, headers=poll).status_code == 200


def test_what_is_shown_by_its_age_is_shown_anew_with_the_next_minute(root, queue, acme, monkeypatch):
    fill(queue, acme, 1)
    monkeypatch.setattr("jobs.pulse.minute", lambda: "12:00")
    poll = {"HX-Request": "true", "HX-Target": "div#queue", "If-None-Match": root.get(address(queue))["ETag"]}
    assert root.get(address(queue), headers=poll).status_code == 204
    monkeypatch.setattr("jobs.pulse.minute", lambda: "12:01")
    assert root.get(address(queue), headers=poll).status_code == 200


def test_the_page_of_a_queue_that_is_not_there_is_missing(root):
    poll = {"HX-Request": "true", "HX-Target": "div#queue"}
    for headers in ({}, poll):
        assert root.get(reverse("queues:queue", args=[987654]), headers=headers).status_code == 404


def test_the_time_until_empty_is_said_only_while_the_backlog_shrinks(queue, acme):
    fill(queue, acme, 100)
    shown = queue_pages().get(pk=queue.pk)
    assert time_to_empty(shown) == ""
    shown.came, shown.went = 10.0, 20.0
    assert time_to_empty(shown).startswith("empty in about")
    shown.went = 10.0000001
    assert "month" in time_to_empty(shown) or "year" in time_to_empty(shown)

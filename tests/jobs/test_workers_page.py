"""The page of workers: who lives, who has died, what they hold; and asking them to stop."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.models import Pass
from jobs.passes.runs import current_run
from jobs.upkeep.pruning import prune
from jobs.workers.models import Worker
from tests.jobs.pages import make_worker, shown

pytestmark = pytest.mark.django_db
PAGE = "/administration/jobs/workers/"


def ago(**age):
    return timezone.now() - timedelta(**age)


def at_work(worker, job, **changes):
    now = timezone.now()
    fields = {"state": "running", "stage": "uploading", "in_hand": 7, "heartbeat_until": now + timedelta(seconds=9)}
    return Pass.objects.create(run=current_run(job), job=job, worker=worker, started_at=now, **{**fields, **changes})


def rows(client, **query):
    return {row.record.name: row for row in client.get(PAGE, query).context["table"].rows}


def test_the_page_shows_what_each_worker_has_in_hand(root, job):
    worker = make_worker(name="celery@busy")
    at_work(worker, job)
    at_work(worker, job, slot=1, state="stopping", in_hand=2)
    at_work(worker, job, slot=2, state="finished", in_hand=50)
    make_worker(name="celery@idle")
    found = rows(root)
    assert found["celery@busy"].get_cell_value("in_hand") is not None
    assert found["celery@busy"].get_cell("in_hand") == 9
    assert found["celery@idle"].get_cell("in_hand") == 0
    page = shown(root, PAGE)
    assert reverse("jobs:job", args=[job.pk]) in page
    assert "2 × prefork" in page


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "running"),
        ({"state": "stopping"}, "stopping"),
        ({"stop_requested_at": "2026-01-01T00:00Z"}, "stopping"),
        ({"state": "stopped"}, "stopped"),
        ({"heartbeat_at": -60}, "dead"),
        ({"heartbeat_at": -60, "state": "stopping"}, "dead"),
        ({"heartbeat_at": -60, "state": "stopped"}, "stopped"),
    ],
)
def test_the_filter_and_the_badge_agree_about_every_status(root, changes, status):
    if "heartbeat_at" in changes:
        changes = {**changes, "heartbeat_at": ago(seconds=60)}
    worker = make_worker(**changes)
    worker.refresh_from_db()
    assert worker.status == status
    found = {name for name in ("running", "stopping", "stopped", "dead") if rows(root, status=name)}
    assert found == {status}
    assert bool(rows(root, status="alive")) is (status in {"running", "stopping"})


def test_an_idle_page_is_a_204_and_a_wrong_filter_a_400(root):
    make_worker()
    first = root.get(PAGE, headers={"HX-Target": "#list"})
    again = root.get(PAGE, headers={"HX-Target": "#list", "If-None-Match": first["ETag"]})
    assert again.status_code == 204
    assert root.get(PAGE, {"status": "nonsense"}).status_code == 400


def test_a_running_worker_is_asked_to_stop_once_with_one_row_in_the_audit_trail(root):
    worker = make_worker()
    address = reverse("workers:stop", args=[worker.pk])
    assert root.get(address).status_code == 200
    assert root.post(address).status_code == 302
    worker.refresh_from_db()
    assert worker.stop_requested_at is not None
    assert root.post(address).status_code == 409
    entry = AuditEntry.objects.get(action="worker.stop")
    assert (entry.target_id, entry.details["pid"]) == (str(worker.pk), 77)


@pytest.mark.parametrize("changes", [{"state": "stopped"}, {"heartbeat_at": "2026-01-01T00:00Z"}])
def test_a_worker_that_does_not_run_cannot_be_stopped(root, changes):
    worker = make_worker(**changes)
    assert root.post(reverse("workers:stop", args=[worker.pk])).status_code == 409
    assert Worker.objects.get(pk=worker.pk).stop_requested_at is None
    assert not AuditEntry.objects.filter(action="worker.stop").exists()


def test_all_workers_of_a_filter_are_stopped_after_a_question_and_the_others_are_not(root):
    old, new = make_worker(name="celery@old"), make_worker(name="celery@new")
    address = reverse("workers:bulk", query={"q": "old"})
    question = root.post(address, {"action": "stop", "all_matching": "1"})
    assert "1 row" in question.content.decode()
    assert not Worker.objects.exclude(stop_requested_at=None).exists()
    root.post(address, {"action": "stop", "all_matching": "1", "confirmed": "1"})
    assert list(Worker.objects.exclude(stop_requested_at=None)) == [old]
    ticked = {"action": "stop", "selection": [str(new.pk)], "confirmed": "1"}
    root.post(reverse("workers:bulk"), ticked)
    assert not Worker.objects.filter(stop_requested_at=None).exists()


def test_workers_that_nobody_has_heard_of_for_a_day_are_forgotten_and_their_passes_stay(job):
    gone, here = make_worker(heartbeat_at=ago(days=2)), make_worker()
    sweep = at_work(gone, job, state="finished", ended_at=timezone.now())
    prune()
    assert list(Worker.objects.all()) == [here]
    sweep.refresh_from_db()
    assert sweep.worker is None


def test_an_unknown_worker_is_not_found(root):
    assert root.post(reverse("workers:stop", args=[uuid.uuid4()])).status_code == 404

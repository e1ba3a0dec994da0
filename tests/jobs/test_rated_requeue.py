"""Requeueing at a rate: frozen at the preview, in portions by a task, never faster than said, abortable."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.bulk_actions.models import BulkAction, BulkSlice
from jobs.bulk_actions.working import actions_at_work, work_on
from jobs.models import Record, RecordEvent
from queues.models import QueueItem
from tests.jobs.pages import make_records

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=3)
DEAD = 45


@pytest.fixture
def dead(job, acme):
    """Dead letters of one cause, and one of another."""
    make_records(job, acme, 1, state="failed", reason="crashed", created_at=LONG_AGO)
    return make_records(job, acme, DEAD, state="failed", reason="engine_lost", created_at=LONG_AGO)


@pytest.fixture
def previewed(root, queue, dead) -> BulkAction:
    """The preview of requeueing the first cause."""
    address = reverse("dead_letters:bulk", args=[queue.pk], query={"status": "failed", "cause": "engine_lost"})
    answer = root.post(address, {"action": "requeue_rated", "all_matching": "1"})
    bulk = BulkAction.objects.get()
    assert answer.headers["Location"] == reverse("jobs:bulk_action", args=[bulk.pk])
    return bulk


def start(root, bulk, rate):
    return root.post(reverse("jobs:bulk_start", args=[bulk.pk]), {"per_minute": rate})


def turn(bulk):
    """The next turn, as the tick gives it."""
    work_on(str(bulk.pk))
    bulk.refresh_from_db()
    return QueueItem.objects.count()


def time_passes(bulk):
    """The pause after a portion is over."""
    BulkAction.objects.filter(pk=bulk.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_the_preview_counts_and_changes_nothing_and_asks_for_the_rate(root, previewed):
    assert (previewed.total, previewed.state, QueueItem.objects.count()) == (DEAD, "ready", 0)
    page = root.get(reverse("jobs:bulk_action", args=[previewed.pk])).content.decode()
    assert 'name="per_minute"' in page


def test_a_portion_is_ten_seconds_worth_and_the_next_waits_until_they_are_over(root, previewed):
    assert start(root, previewed, "120").status_code == 302
    assert QueueItem.objects.count() == 0
    assert turn(previewed) == 20
    assert previewed.lease_until > timezone.now() + timedelta(seconds=8)
    assert str(previewed.pk) not in actions_at_work()
    assert turn(previewed) == 20

    time_passes(previewed)
    assert str(previewed.pk) in actions_at_work()
    assert turn(previewed) == 40
    time_passes(previewed)
    assert turn(previewed) == DEAD
    time_passes(previewed)
    turn(previewed)
    assert (previewed.state, previewed.changed, previewed.skipped) == ("finished", DEAD, 0)
    assert set(QueueItem.objects.values_list("published_at", "event")) == {(LONG_AGO, "requeued")}
    assert RecordEvent.objects.filter(step="requeued").count() == DEAD
    actions = AuditEntry.objects.filter(target_type="bulk_action").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["bulk_action.started", "bulk_action.finished"]
    assert actions[0].details["per_minute"] == 120


def test_one_a_minute_is_one_a_minute(root, previewed):
    start(root, previewed, "1")
    assert turn(previewed) == 1
    assert previewed.lease_until > timezone.now() + timedelta(seconds=55)


def test_an_abort_stops_it_and_what_was_requeued_stays(root, previewed):
    start(root, previewed, "60")
    assert turn(previewed) == 10
    assert root.post(reverse("jobs:bulk_abort", args=[previewed.pk])).status_code == 302
    time_passes(previewed)
    assert turn(previewed) == 10
    assert (previewed.state, previewed.changed) == ("aborted", 10)


def test_what_changed_meanwhile_is_left_alone_and_listed(root, previewed, dead):
    start(root, previewed, "60000")
    Record.objects.filter(pk=dead[0].pk).update(generation=2)
    assert turn(previewed) == DEAD - 1
    assert (previewed.changed, previewed.skipped) == (DEAD - 1, 1)


@pytest.mark.parametrize("rate", ["0", "-5", "60001", "many", "1.5", "٣"])
def test_a_rate_that_is_none_is_refused_and_nothing_starts(root, previewed, rate):
    assert start(root, previewed, rate).status_code == 400
    previewed.refresh_from_db()
    assert (previewed.state, QueueItem.objects.count()) == ("ready", 0)


def test_without_a_rate_a_few_are_requeued_at_once(root, previewed):
    start(root, previewed, "")
    assert QueueItem.objects.count() == DEAD


def test_only_ticked_ones_of_this_queue_are_frozen(root, queue, dead):
    address = reverse("dead_letters:bulk", args=[queue.pk])
    root.post(address, {"action": "requeue_rated", "selection": [dead[0].pk, 2**40]})
    assert [piece.ids for piece in BulkSlice.objects.all()] == [[dead[0].pk]]

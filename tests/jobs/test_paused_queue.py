"""A paused queue still collects, but no job claims from it; draining lets it be worked off."""

import pytest

from jobs.models import Pass, Record
from jobs.passes.claiming import take_from_queue
from jobs.passes.runs import current_run
from jobs.selectors import jobs_with_work
from queues.models import QueueItem
from queues.selectors import pending_in
from queues.services import drain, set_paused
from tests.queues.filling import fill

pytestmark = pytest.mark.django_db


def paused(queue, system, value=True):
    set_paused(queues=[queue], paused=value, actor="test", audit_tenant=system)


def take(job):
    from django.utils import timezone

    return take_from_queue(job, current_run(job), until=timezone.now(), count=10)


def test_nothing_is_taken_from_a_paused_queue_and_everything_after_it_was_resumed(job, queue, acme, system):
    fill(queue, acme, 3)
    paused(queue, system)
    assert jobs_with_work() == []
    assert take(job) == (0, 0)
    assert pending_in(queue) == 3
    fill(queue, acme, 1)
    paused(queue, system, value=False)
    assert jobs_with_work() == [job.pk]
    assert take(job) == (4, 4)
    assert pending_in(queue) == 0


def test_the_pause_of_one_queue_leaves_other_queues_and_records_taken_before_alone(pipeline, system):
    begun = pipeline.call()
    pipeline.sweep()
    paused(pipeline.queue, system)
    waiting = pipeline.call()
    pipeline.finish(begun)
    assert pipeline.record_of(begun).state == Record.State.COMPLETED
    assert QueueItem.objects.get().record_id == waiting.pk
    assert not Pass.objects.filter(state="crashed").exists()
    paused(pipeline.queue, system, value=False)
    pipeline.finish(waiting)
    assert pipeline.record_of(waiting).state == Record.State.COMPLETED


def test_a_drained_queue_is_worked_off(job, queue, acme, system):
    fill(queue, acme, 2)
    paused(queue, system)
    assert drain(queue=queue, actor="test", audit_tenant=system) == 2
    assert jobs_with_work() == [job.pk]
    assert take(job) == (2, 2)

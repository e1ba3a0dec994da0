"""Dead letters of a queue: their causes, and putting them back with their age and history."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from jobs.actions import retry_records
from jobs.models import ErrorSignature, JobDefinition, Record, RecordEvent
from jobs.passes.claiming import take_from_queue
from jobs.passes.runs import current_run
from jobs.requeueing import requeue_records
from jobs.signatures import signature_of
from licensing.models import Bundle
from licensing.services import grant
from queues.events import Event
from queues.models import ProcessingQueue, QueueItem
from queues.services import publish, set_paused
from tests.jobs.pages import make_records
from tests.licensing.conftest import revoke

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=3)


@pytest.fixture
def dead(job, acme):
    """Two that the engine lost, one that crashed, one skipped, one completed."""
    lost = make_records(job, acme, 2, state="failed", reason="engine_lost", last_error="gone", created_at=LONG_AGO)
    times = [LONG_AGO + timedelta(hours=1), LONG_AGO + timedelta(hours=2)]
    for record, at in zip(lost, times, strict=True):
        Record.objects.filter(pk=record.pk).update(finished_at=at)
    crashed = make_records(job, acme, 1, state="failed", reason="crashed", created_at=LONG_AGO)
    skipped = make_records(job, acme, 1, state="skipped", reason="no_license", created_at=LONG_AGO)
    make_records(job, acme, 1)
    return [*lost, *crashed, *skipped]


def page_of(queue, **query):
    return reverse("dead_letters:list", args=[queue.pk], query=query)


def bulk_of(queue, **query):
    return reverse("dead_letters:bulk", args=[queue.pk], query=query)


def take(job):
    return take_from_queue(job, current_run(job), until=timezone.now(), count=10)


def requeue(queue, system, records):
    return requeue_records(queue=queue, records=records, actor="rita@system", audit_tenant=system)


def test_the_page_groups_by_cause_with_first_and_last_seen_tenants_and_a_sample(root, queue, dead):
    page = root.get(page_of(queue))
    groups = [(g["reason"], g["number"], g["tenants"], g["sample"]) for g in page.context["causes"]]
    assert groups == [("engine_lost", 2, 1, "gone"), ("crashed", 1, 1, "")]
    lost = page.context["causes"][0]
    assert (lost["first"], lost["last"]) == (LONG_AGO + timedelta(hours=1), LONG_AGO + timedelta(hours=2))
    assert len(page.context["table"].rows) == 3
    one = root.get(lost["url"])
    assert {row.record.pk for row in one.context["table"].rows} == {dead[0].pk, dead[1].pk}
    for status, number in (("skipped", 1), ("any", 4), ("failed", 3)):
        assert len(root.get(page_of(queue, status=status)).context["table"].rows) == number
    assert root.get(page_of(queue, status="nonsense")).status_code == 400


def test_causes_of_one_reason_are_told_apart_by_their_error_and_requeued_alone(root, queue, job, acme, globex):
    for number, tenant in enumerate([acme, acme, globex]):
        error = f"HTTP 503 after {number} s"
        made = make_records(job, tenant, 1, state="failed", reason="engine_transient", last_error=error)
        Record.objects.filter(pk=made[0].pk).update(signature=signature_of(error)[0])
    make_records(job, acme, 1, state="failed", reason="engine_transient", last_error="HTTP 401", signature="a1")
    make_records(job, acme, 1, state="failed", reason="engine_transient")
    key, text = signature_of("HTTP 503 after 1 s")
    ErrorSignature.objects.create(job=job, digest=key, text=text)
    page = root.get(page_of(queue))
    groups = [(g["signature"], g["number"], g["tenants"], g["text"]) for g in page.context["causes"]]
    assert groups == [(key, 3, 2, "HTTP 503 after <n> s"), ("", 1, 1, ""), ("a1", 1, 1, "HTTP 401")]
    assert "HTTP 503 after &lt;n&gt; s" in page.content.decode()
    for group in page.context["causes"]:
        assert len(root.get(group["url"]).context["table"].rows) == group["number"]
    root.post(page.context["causes"][0]["requeue_url"], {"action": "requeue", "all_matching": "1", "confirmed": "1"})
    assert QueueItem.objects.count() == 3


def test_the_list_and_the_page_of_the_queue_count_dead_letters(root, queue, dead):
    listed = root.get(reverse("queues:queues")).content.decode()
    assert f'href="{page_of(queue)}"><bdi>3</bdi>' in listed
    assert root.get(reverse("queues:queue", args=[queue.pk])).context["reading"].dead_label == "3"


def test_dead_letters_of_other_queues_are_not_shown_and_cannot_be_requeued(root, queue, dead, acme):
    other = ProcessingQueue.objects.create(name="Other", events=["call.created"])
    elsewhere = JobDefinition.objects.create(name="Other", kind="transcription", source_queue=other)
    foreign = make_records(elsewhere, acme, 1, state="failed")[0]
    assert foreign.pk not in {row.record.pk for row in root.get(page_of(queue)).context["table"].rows}
    root.post(bulk_of(queue), {"action": "requeue", "selection": [foreign.pk], "confirmed": "1"})
    assert not QueueItem.objects.exists()


def test_a_cause_is_requeued_after_a_question_with_its_count_and_nothing_else(root, queue, dead, job):
    address = bulk_of(queue, status="failed", cause="engine_lost")
    question = root.post(address, {"action": "requeue", "all_matching": "1"})
    assert "2 rows" in question.content.decode()
    assert not QueueItem.objects.exists()
    done = root.post(address, {"action": "requeue", "all_matching": "1", "confirmed": "1"}, follow=True)
    assert "2 records were requeued." in done.content.decode()
    assert set(QueueItem.objects.values_list("record_id", flat=True)) == {dead[0].record_id, dead[1].record_id}
    entry = AuditEntry.objects.get(action="records.requeue")
    assert (entry.details["count"], entry.details["chosen"]) == (2, "all matching status=failed&cause=engine_lost")
    assert [g["reason"] for g in root.get(page_of(queue)).context["causes"]] == ["crashed"]


def test_a_wrong_filter_never_widens_a_requeue(root, queue, dead):
    answer = root.post(bulk_of(queue, status="nonsense"), {"action": "requeue", "all_matching": "1", "confirmed": "1"})
    assert answer.status_code == 400
    assert not QueueItem.objects.exists()


def test_a_requeued_record_keeps_its_age_and_history_and_starts_a_new_generation(queue, job, dead, system):
    assert requeue(queue, system, Record.objects.filter(pk=dead[0].pk)) == 1
    item = QueueItem.objects.get()
    assert (item.published_at, item.event) == (LONG_AGO, "requeued")
    assert Record.objects.get(pk=dead[0].pk).state == "failed"
    assert take(job) == (1, 1)
    record = Record.objects.get(pk=dead[0].pk)
    assert (record.state, record.stage, record.generation, record.reason) == ("in_progress", "new", 2, "")
    assert (record.created_at, record.last_error, record.mark_due) == (LONG_AGO, "", True)
    event = RecordEvent.objects.get(record=record)
    assert (event.generation, event.step, event.detail) == (2, "requeued", "rita@system")
    assert take(job) == (0, 0)


def test_only_requeueing_takes_up_ended_records_never_an_event(queue, job, dead, acme):
    ended = [record.record_id for record in Record.objects.all()]
    with transaction.atomic():
        publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=ended)
    assert take(job) == (5, 0)
    assert not Record.objects.filter(state="in_progress").exists()


def test_an_event_in_between_does_not_undo_a_requeue_and_requeueing_refreshes_a_pending_item(
    queue, job, dead, acme, system
):
    first, second = dead[:2]
    requeue(queue, system, Record.objects.filter(pk=first.pk))
    with transaction.atomic():
        publish(tenant=acme, event=Event.CALL_RECORDING_FINISHED, record_ids=[first.record_id, second.record_id])
    requeue(queue, system, Record.objects.filter(pk=second.pk))
    assert list(QueueItem.objects.values_list("event", "published_at")) == [("requeued", LONG_AGO)] * 2
    assert take(job) == (2, 2)


def test_what_was_retried_or_ended_well_in_between_is_not_taken_up_again(queue, job, dead, system):
    requeue(queue, system, Record.objects.filter(pk__in=[record.pk for record in dead]))
    retry_records(records=Record.objects.filter(pk=dead[0].pk), actor="test", audit_tenant=system)
    Record.objects.filter(pk=dead[1].pk).update(state="in_progress", generation=2)
    Record.objects.filter(pk=dead[1].pk).update(state="completed", stage="done")
    assert take(job) == (4, 2)
    states = dict(Record.objects.values_list("pk", "state"))
    assert (states[dead[0].pk], states[dead[1].pk]) == ("in_progress", "completed")
    assert Record.objects.get(pk=dead[0].pk).generation == 2


def test_a_record_in_progress_or_completed_is_not_requeued(queue, job, acme, system):
    make_records(job, acme, 1)
    make_records(job, acme, 1, state="in_progress", stage="checking")
    assert requeue(queue, system, Record.objects.all()) == 0
    assert not QueueItem.objects.exists()


def test_a_record_that_was_deleted_in_between_begins_anew(queue, job, dead, system):
    requeue(queue, system, Record.objects.filter(pk=dead[0].pk))
    Record.objects.filter(pk=dead[0].pk).delete()
    assert take(job) == (1, 1)
    assert Record.objects.get(record_id=dead[0].record_id).generation == 1


def test_a_paused_queue_holds_requeued_records_back_and_the_question_says_so(root, queue, job, dead, system):
    set_paused(queues=[queue], paused=True, actor="test", audit_tenant=system)
    question = root.post(bulk_of(queue), {"action": "requeue", "all_matching": "1"}).content.decode()
    assert "they wait there until it is resumed" in question
    requeue(queue, system, Record.objects.all())
    assert take(job) == (0, 0)
    set_paused(queues=[queue], paused=False, actor="test", audit_tenant=system)
    assert take(job) == (4, 4)


def test_a_skipped_call_is_transcribed_after_its_cause_was_mended_and_it_was_requeued(pipeline, people, system):
    revoke(people.agent, editor=people.tenant_admin)
    call = pipeline.call()
    (record,) = pipeline.finish(call)
    assert (record.state, record.reason) == ("skipped", "no_license")
    grant(user=people.agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    assert requeue(pipeline.queue, system, Record.objects.filter(pk=record.pk)) == 1
    pipeline.sweep()
    (record,) = pipeline.finish(call)
    assert (record.state, record.generation) == ("completed", 2)


def test_a_lot_is_requeued_in_batches_with_a_row_each(queue, job, acme, system, monkeypatch):
    monkeypatch.setattr("jobs.requeueing.BATCH", 2)
    now = timezone.now()
    Record.objects.bulk_create(
        Record(
            job=job,
            tenant=acme,
            record_type="call",
            record_id=uuid.uuid4(),
            state="failed",
            next_at=now,
            created_at=now,
        )
        for _n in range(5)
    )
    assert requeue(queue, system, Record.objects.all()) == 5
    rows = AuditEntry.objects.filter(action="records.requeue").order_by("pk")
    assert [row.details["count"] for row in rows] == [2, 2, 1]

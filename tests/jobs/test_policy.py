"""The policy of a job: its fields and their bounds, the order of passes, pauses between tries, timeouts."""

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import InvalidInput
from jobs.models import Cleanup, JobDefinition, Priority, Record
from jobs.passes.changes import limits_of
from jobs.passes.waiting import Backoff, backoff_delay, throttle_delay
from jobs.policy.rules import policy_values, weights_from, weights_text
from jobs.selectors import jobs_reading, jobs_with_work
from queues.models import ProcessingQueue
from tests.jobs.pages import make_records, shown, url

pytestmark = pytest.mark.django_db
SLOW_POST = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "delay_ms": 3000, "times": 20}
DAY_S = 24 * 3600


def test_a_job_without_a_policy_behaves_as_ever(root, values):
    root.post(url("add"), values())
    job = JobDefinition.objects.get(name="Second job")
    assert (job.priority, job.concurrency, job.rate, job.tenant_rate, job.tenant_weights) == (2, None, None, None, {})
    assert limits_of(job).backoff == Backoff(2, 2, 900)
    assert (job.request_timeout_s, job.conversation_timeout_min) == (None, None)


def test_the_policy_is_stored_shown_in_three_groups_and_audited_with_before_and_after(root, values, job, acme, engine):
    page = shown(root, url("edit", job.pk))
    for label in ("Advanced: load and priority", "Advanced: tenants", "Advanced: retries and timeouts"):
        assert label in page
    chosen = {
        "priority": "3",
        "concurrency": "4",
        "rate": "600",
        "tenant_rate": "60",
        "tenant_weights": "acme = 3\n",
        "retry_base_s": "10",
        "retry_factor": "1.5",
        "retry_max_s": "3600",
        "request_timeout_s": "90",
        "conversation_timeout_min": "240",
    }
    assert root.post(url("edit", job.pk), values(version=1, **chosen)).status_code == 302
    row = AuditEntry.objects.filter(action="job.changed").latest("pk")
    assert (row.before["rate"], row.after["rate"]) == (None, 600)
    assert (row.before["tenant_weights"], row.after["tenant_weights"]) == ({}, {"acme": 3})
    edit = shown(root, url("edit", job.pk))
    assert "acme = 3" in edit
    assert 'value="1.5"' in edit
    about = shown(root, url("latest_run", job.pk))
    for text in (
        "High",
        "4 calls at once",
        "600 new records a minute",
        "at most 60 a minute each",
        "acme × 3",
        "240 minutes",
    ):
        assert text in about, text


@pytest.mark.parametrize(
    "field", ["concurrency", "rate", "tenant_rate", "retry_base_s", "retry_max_s", "request_timeout_s"]
)
@pytest.mark.parametrize("bad", ["0", "-1", "99999999999", "many", "1.5", "٣"])
def test_a_bad_number_names_its_field_and_stores_nothing(root, values, field, bad):
    page = root.post(url("add"), values(**{field: bad}))
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not JobDefinition.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"conversation_timeout_min": "0"}, "conversation_timeout_min"),
        ({"retry_factor": "0.5"}, "retry_factor"),
        ({"retry_factor": "inf"}, "retry_factor"),
        ({"retry_factor": "nan"}, "retry_factor"),
        ({"retry_base_s": "100", "retry_max_s": "99"}, "retry_max_s"),
        ({"priority": "4"}, "priority"),
        ({"tenant_weights": "acme 3"}, "tenant_weights"),
        ({"tenant_weights": "acme = 0"}, "tenant_weights"),
        ({"tenant_weights": "acme = 101"}, "tenant_weights"),
        ({"tenant_weights": "acme = -1"}, "tenant_weights"),
        ({"tenant_weights": "nobody = 2"}, "tenant_weights"),
        ({"tenant_weights": "acme = 2\nacme = 3"}, "tenant_weights"),
    ],
)
def test_every_rule_of_the_policy_names_its_field(root, values, changes, field):
    page = root.post(url("add"), values(**changes))
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert not JobDefinition.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", "ten"),
        ("rate", True),
        ("concurrency", 2.0),
        ("retry_factor", math.nan),
        ("retry_factor", "2"),
        ("priority", "urgent"),
        ("tenant_weights", ["acme"]),
        ("tenant_weights", {"acme": 1.5}),
    ],
)
def test_the_service_refuses_what_no_form_would_send(acme, name, value):
    with pytest.raises(InvalidInput) as refused:
        policy_values(None, {name: value})
    assert refused.value.field == name


def test_weights_are_read_as_they_are_written(acme):
    assert weights_from(" acme = 3\n\nglobex=1 \n") == {"acme": 3, "globex": 1}
    assert weights_text({"globex": 2, "acme": 3}) == "acme = 3\nglobex = 2"
    assert policy_values(None, {"tenant_weights": {"acme": 3, "globex": 1}})["tenant_weights"] == {"acme": 3}


def test_passes_start_by_priority_and_backfill_comes_last(job, acme, engine, queue):
    jobs = {"usual": job}
    for name, values in {
        "backfill": {"data_source": "token", "priority": Priority.HIGH},
        "low": {"priority": Priority.LOW, "source_queue": queue},
        "high": {"priority": Priority.HIGH, "source_queue": queue},
    }.items():
        jobs[name] = JobDefinition.objects.create(
            name=name, kind="transcription", settings={"engine": engine.pk}, **values
        )
    for other in jobs.values():
        make_records(other, acme, state="in_progress", stage="new")
    assert jobs_with_work() == [jobs[name].pk for name in ("high", "usual", "low", "backfill")]
    assert jobs_reading([queue.pk]) == [jobs[name].pk for name in ("high", "usual", "low")]


def test_pauses_grow_as_the_job_says_between_a_second_and_a_day():
    assert [Backoff().pause_s(n) for n in (1, 2, 3, 9, 50)] == [2, 4, 8, 512, 900]
    slow = Backoff(10, 1.5, 3600)
    assert [slow.pause_s(n) for n in (1, 2, 3)] == [10, 15, 22.5]
    assert slow.pause_s(10_000) == 3600
    assert Backoff(1, 10, DAY_S).pause_s(10_000) == DAY_S
    assert backoff_delay(50, 1.0, Backoff(DAY_S, 10, DAY_S)) == DAY_S
    assert Backoff(0, 0, 0).pause_s(3) == 1


def test_an_engine_that_says_how_long_to_wait_is_obeyed_within_bounds():
    slow = Backoff(600, 2, 3600)
    assert throttle_delay(7, 1, 0, slow) == 7
    assert throttle_delay(10**9, 1, 0, slow) == 3600
    assert throttle_delay(None, 1, 0, slow) == 600
    assert throttle_delay(math.nan, 1, 0, slow) == 600


def test_the_pause_of_a_record_is_that_of_its_job(pipeline):
    JobDefinition.objects.update(retry_base_s=7200, retry_max_s=7200)
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 503, "times": 1}
    pipeline.server.control("POST", "/_emu/faults", fault)
    call = pipeline.call()
    pipeline.sweep()
    record = pipeline.record_of(call)
    assert (record.wait, record.attempts) == ("backoff", 1)
    assert record.next_at > timezone.now() + timedelta(seconds=7000)


@pytest.mark.parametrize("seconds", [1, None])
def test_a_request_ends_at_the_timeout_of_the_job_and_is_tried_again(pipeline, seconds):
    JobDefinition.objects.update(request_timeout_s=seconds)
    pipeline.server.control("POST", "/_emu/faults", SLOW_POST)
    call = pipeline.call()
    pipeline.sweep()
    record = pipeline.record_of(call)
    if seconds is None:
        assert (record.attempts, record.uploads) == (0, 1)
        return
    assert (record.state, record.wait, record.attempts, record.uploads) == ("in_progress", "backoff", 1, 0)
    pipeline.server.control("DELETE", "/_emu/faults")
    (record,) = pipeline.finish(call)
    assert record.state == "completed"
    assert len({line["job"] for line in pipeline.uploads(call) if line.get("job")}) == 1


def test_the_timeout_of_the_job_takes_the_place_of_that_of_the_engine(pipeline):
    from jobs.kinds import kind_of

    def seconds(**named):
        return kind_of(pipeline.job).session(pipeline.job.settings, [], **named).adapter.options.request_timeout_s

    assert seconds() == 120
    assert seconds(request_timeout_s=900) == 900


def test_a_conversation_that_takes_too_long_fails_and_is_deleted_at_the_provider(pipeline):
    JobDefinition.objects.update(conversation_timeout_min=10)
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    late, early = pipeline.call(), pipeline.call()
    pipeline.sweep()
    record = pipeline.record_of(late)
    assert record.uploaded_at is not None
    assert record.next_at <= record.uploaded_at + timedelta(minutes=10)
    remote = record.remote
    Record.objects.filter(pk=record.pk).update(uploaded_at=timezone.now() - timedelta(minutes=11))
    Record.objects.update(next_at=timezone.now())
    pipeline.sweep()
    record = pipeline.record_of(late)
    assert (record.state, record.reason, record.remote) == ("failed", "checks_exhausted", None)
    assert "10 minutes" in record.last_error
    assert Cleanup.objects.get().remote == remote
    assert pipeline.record_of(early).state == "in_progress"


def test_a_record_is_looked_at_when_its_time_is_over_however_long_its_pause(pipeline):
    JobDefinition.objects.update(conversation_timeout_min=1, retry_base_s=7200, retry_max_s=7200)
    fault = {"match": {"method": "POST", "path_prefix": "/v2/transcriptions"}, "status": 503, "times": 1}
    pipeline.server.control("POST", "/_emu/faults", fault)
    call = pipeline.call()
    pipeline.sweep()
    record = pipeline.record_of(call)
    assert (record.state, record.wait) == ("in_progress", "backoff")
    assert record.next_at <= record.uploaded_at + timedelta(seconds=61)


def test_the_time_of_a_conversation_begins_anew_with_a_retry(pipeline, system):
    from jobs.actions import retry_records

    JobDefinition.objects.update(conversation_timeout_min=10)
    call = pipeline.call()
    (record,) = pipeline.finish(call)
    assert record.uploaded_at is not None
    retry_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    assert pipeline.record_of(call).uploaded_at is None


def test_a_job_makes_no_more_calls_at_once_than_it_may(pipeline):
    JobDefinition.objects.update(concurrency=2)
    pipeline.server.control("POST", "/_emu/faults", {**SLOW_POST, "delay_ms": 100})
    before = len(pipeline.server.control("GET", "/_emu/journal")["entries"])
    for _n in range(10):
        pipeline.call()
    pipeline.sweep()
    made = pipeline.server.control("GET", "/_emu/journal")["entries"][before:]
    assert max(line["inFlight"] for line in made if line["method"] == "POST") == 2


def test_clean_ups_use_a_quarter_of_the_engine_and_wait_when_all_of_it_is_in_use(pipeline):
    from jobs.policy.slots import Slots
    from jobs.upkeep.cleanups import run_cleanups
    from transcription.selectors import circuit_key

    pipeline.finish(pipeline.call())
    busy = Slots(circuit_key(pipeline.engine), 8, lease_s=60)
    busy.renew(8)
    busy.gate.running = 8
    assert run_cleanups() == 0
    cleanup = Cleanup.objects.get()
    assert (cleanup.attempts, cleanup.last_error) == (0, "")
    assert busy.renew(8) < 8
    busy.gate.running = 0
    busy.leave()
    Cleanup.objects.update(due_at=timezone.now())
    assert run_cleanups() == 1


def test_a_clone_has_the_policy_of_its_original(job, system):
    from jobs.services import clone_job

    JobDefinition.objects.filter(pk=job.pk).update(rate=7, priority=Priority.HIGH, tenant_weights={"acme": 3})
    made = clone_job(job=JobDefinition.objects.get(pk=job.pk), name="Copy", actor="test", audit_tenant=system)
    assert (made.rate, made.priority, made.tenant_weights) == (7, Priority.HIGH, {"acme": 3})
    assert ProcessingQueue.objects.count() == 1

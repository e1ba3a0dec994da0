"""A chain of two engines at work: passed on, charged once, nothing left behind, and what a person does to it."""

import pytest
from django.db.models.functions import Now

from conversations.models import Transcript
from jobs.actions import abort_records, retry_records
from jobs.figures.models import FigureSlice
from jobs.kinds import kind_of
from jobs.models import Cleanup, JobDefinition, LogEntry, Pass, Record, RecordEvent
from jobs.passes.claiming import claim_due
from jobs.passes.running import run_pass
from jobs.passes.runs import begin_pass, current_run
from jobs.selectors import jobs_with_work, later_work
from licensing.models import DailyUsage, Reservation
from licensing.reconciling import differences
from tenants.doors import enter
from tests.jobs.chains import GET, POST, REFUSED, at_second, books, chain, fault, finish, left, sweep
from tests.polling import until
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db
CLASSES = {
    "input": (REFUSED, {}),
    "output": ({"match": GET, "status": 200, "body": "no JSON", "times": 1}, {}),
    "lost": ({"match": GET, "status": 404, "times": 2}, {}),
    "transient": ({"match": POST, "status": 503}, {"max_attempts": 1}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_recording_that_the_first_engine_fails_is_done_by_the_second_and_charged_once(chained, second, acme, name):
    values, job = CLASSES[name]
    JobDefinition.objects.filter(pk=chained.job.pk).update(**job)
    fault(chained, **values)
    call = chained.call()
    passed = at_second(chained, call)
    assert (passed.state, passed.stage, passed.generation, passed.reference) == ("in_progress", "new", 1, "")
    assert Reservation.objects.get(record=passed.pk).state == "open"
    assert "passed_on" in RecordEvent.objects.filter(record=passed).values_list("step", flat=True)
    assert LogEntry.objects.filter(record=passed, severity="warning", message__startswith="from “Tones” to “Other”")

    record = finish(chained, call)
    assert (record.state, record.place, record.uploads) == ("completed", 1, 1)
    assert books(record) == [("reserve", "Tones"), ("settle", "Other")]
    with enter(acme):
        assert Transcript.objects.get(call_id=call.pk).engine_name == "Other"
    assert left(chained, second, record) == (0, 0)
    assert differences(acme.pk) == []


def test_the_sums_of_a_month_name_the_engine_that_did_it_and_agree_with_the_entries(chained, acme):
    first = chained.call(seconds=7)
    finish(chained, first)
    fault(chained, **REFUSED)
    finish(chained, chained.call(seconds=5))
    sums = dict(DailyUsage.objects.filter(tenant=acme).values_list("engine", "used"))
    assert sums == {"Tones": 7, "Other": 5}
    assert differences(acme.pk) == []
    done = FigureSlice.objects.filter(what="completed").values_list("engine", flat=True)
    assert sorted(done) == sorted(str(engine.pk) for engine in SpeechEngine.objects.all())
    # What the books themselves are asked: a wrong engine in the sums is still found.
    DailyUsage.objects.filter(tenant=acme, engine="Other").update(engine="Tones elsewhere")
    assert {found.kind for found in differences(acme.pk)} == {"daily used", "daily requests"}


def test_what_an_engine_passes_on_counts_as_failed_by_it_though_no_record_has_failed(chained):
    fault(chained, **REFUSED)
    finish(chained, chained.call())
    names = {str(engine.pk): engine.name for engine in SpeechEngine.objects.all()}
    counted = FigureSlice.objects.filter(what__in=["passed_on", "failed", "completed"])
    assert {(names[row.engine], row.what, row.reason) for row in counted} == {
        ("Tones", "passed_on", "engine_input"),
        ("Other", "completed", ""),
    }


def test_who_is_throttled_waits_and_is_never_passed_on(chained):
    fault(chained, match=POST, status=429, headers={"Retry-After": "1"}, times=7)
    call = chained.call()
    for _n in range(6):
        sweep(chained)
    record = chained.record_of(call)
    assert (record.state, record.place, record.wait, record.attempts) == ("in_progress", 0, "rate_limited", 0)


def test_the_last_engine_fails_it_for_good_and_nothing_is_charged(chained, second):
    fault(chained, **REFUSED)
    second.fault(match={"method": "POST", "path_prefix": "/v2/jobs"}, status=400, body={"code": 400, "error": "Bad"})
    record = finish(chained, chained.call())
    assert (record.state, record.reason, record.place) == ("failed", "engine_input", 1)
    assert books(record) == [("reserve", "Tones"), ("release", "Tones")]
    assert left(chained, second, record) == (0, 0)


def test_a_filter_that_the_passed_on_would_not_meet_any_more_is_not_asked_again(chained):
    JobDefinition.objects.filter(pk=chained.job.pk).update(
        filters=[{"field": "call.transcription", "op": "is", "value": "none"}]
    )
    fault(chained, **REFUSED)
    assert finish(chained, chained.call()).state == "completed"


def test_an_upload_to_the_second_whose_answer_was_lost_is_not_looked_up_at_the_first(chained, second, system):
    fault(chained, **REFUSED)
    second.fault(match={"method": "POST", "path_prefix": "/v2/jobs"}, accept_then_drop=True)
    call = chained.call()
    at_second(chained, call)
    run_pass(chained.job.pk, 1)
    record = chained.record_of(call)
    assert (record.place, record.stage, record.remote) == (1, "uploading", None)
    abort_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    asked = Cleanup.objects.get(remote__reference=record.reference)
    assert asked.settings == {"engine": SpeechEngine.objects.get(name="Other").pk}
    assert left(chained, second, record) == (0, 0)


def test_a_paused_engine_is_waited_for_unless_the_next_may_stand_in(chained, engine_b, second):
    fault(chained, match=POST, status=401, times=9)
    call, later = chained.call(), chained.call()
    sweep(chained)
    assert SpeechEngine.objects.get(name="Tones").paused_at is not None
    assert {chained.record_of(each).place for each in (call, later)} == {0}
    sweep(chained)
    assert chained.record_of(call).state == "in_progress"

    chain(chained, engine_b, stand_in="paused")
    newest = chained.call()
    tried = Record.objects.filter(pk=chained.record_of(call).pk)
    tried.update(attempts=4, checks=49, uploads=1)
    for each in (call, later, newest):
        record = finish(chained, each)
        assert (record.state, record.place) == ("completed", 1)
        moved = RecordEvent.objects.get(record=record, step="passed_on")
        assert moved.detail == "from “Tones” to “Other”: the first of these cannot be used now"
        assert left(chained, second, record) == (0, 0)
        assert books(record)[-1] == ("settle", "Other")
    record = tried.get()
    assert (record.attempts, record.uploads) == (0, 1), "what another engine has tried does not count"
    assert record.checks < 49


def test_what_a_paused_engine_has_taken_already_waits_for_it(chained, engine_b):
    chained.server.control("POST", "/_emu/hold", {"hold": True})
    chain(chained, engine_b, stand_in="paused")
    call = chained.call()
    until(lambda: sweep(chained) or chained.record_of(call).stage == "checking", every=0.05)
    SpeechEngine.objects.filter(name="Tones").update(paused_at=Now())
    passes = Pass.objects.count()
    sweep(chained)
    assert Pass.objects.count() == passes, "who stands in has nothing to do"
    record = chained.record_of(call)
    assert (record.stage, record.place, record.checks) == ("checking", 0, record.checks)
    SpeechEngine.objects.filter(name="Tones").update(paused_at=None)
    chained.server.control("POST", "/_emu/hold", {"hold": False})
    assert finish(chained, call).place == 0


def test_two_passes_work_at_two_places_at_once_and_each_claims_its_own(chained):
    fault(chained, **REFUSED)
    passed = at_second(chained, chained.call())
    fresh = chained.call()
    assert [(job, 0) for job in jobs_with_work()] + later_work() == [(chained.job.pk, 0), (chained.job.pk, 1)]
    run = current_run(chained.job)
    first, later = begin_pass(chained.job, run, 30), begin_pass(chained.job, run, 30, place=1)
    assert (first.place, later.place, first.leads, later.leads) == (0, 1, True, True)
    assert begin_pass(chained.job, run, 30, place=1) is None, "one a place"
    assert Pass.objects.filter(state="running").count() == 2
    Pass.objects.all().delete()
    run_pass(chained.job.pk)
    assert chained.record_of(fresh).stage == "checking"
    assert Record.objects.get(pk=passed.pk).stage == "new", "left to the other"
    run_pass(chained.job.pk, 1)
    assert Record.objects.get(pk=passed.pk).stage == "checking"


def test_a_retry_by_a_person_begins_at_the_first_engine(chained, second, system):
    fault(chained, **REFUSED)
    second.fault(match={"method": "POST", "path_prefix": "/v2/jobs"}, status=400, body={"code": 400, "error": "Bad"})
    call = chained.call()
    record = finish(chained, call)
    retry_records(records=Record.objects.filter(pk=record.pk), actor="test", audit_tenant=system)
    again = chained.record_of(call)
    assert (again.place, again.generation) == (0, 2)
    done = finish(chained, call)
    assert (done.state, done.place) == ("completed", 0)
    assert books(done)[-2:] == [("reserve", "Tones"), ("settle", "Tones")]


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "at the second"])
def test_a_list_made_shorter_sends_what_stood_behind_its_end_back_to_the_last(chained, second, begun):
    fault(chained, **REFUSED)
    call = chained.call()
    record = at_second(chained, call)
    if begun:
        run_pass(chained.job.pk, 1)
        assert chained.record_of(call).stage == "checking"
    chain(chained)
    done = finish(chained, call)
    assert (done.state, done.place) == ("completed", 0)
    assert books(done) == [("reserve", "Tones"), ("settle", "Tones")]
    assert left(chained, second, record) == (0, 0)


def test_an_upload_of_an_engine_that_left_the_list_is_deleted_there_and_sent_under_a_new_reference(chained, second):
    fault(chained, **REFUSED)
    second.fault(match={"method": "POST", "path_prefix": "/v2/jobs"}, accept_then_drop=True)
    call = chained.call()
    at_second(chained, call)
    run_pass(chained.job.pk, 1)
    before = chained.record_of(call)
    assert (before.stage, before.remote) == ("uploading", None)
    chain(chained)
    done = finish(chained, call)
    assert (done.state, done.place) == ("completed", 0)
    assert before.reference != done.reference
    assert left(chained, second, done) == (0, 0)


def test_what_was_passed_on_is_claimed_for_its_own_engine_alone(chained):
    fault(chained, **REFUSED)
    at_second(chained, chained.call())
    job = JobDefinition.objects.get(pk=chained.job.pk)
    first, later = (kind_of(job).span(job.settings, place) for place in (0, 1))
    assert claim_due(job, current_run(job), count=10, span=first) == []
    assert len(claim_due(job, current_run(job), count=10, span=later)) == 1

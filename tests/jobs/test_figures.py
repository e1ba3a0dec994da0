"""Figures: counted with the records, folded once, rebuilt from the records, dropped when old."""

import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from jobs.actions import abort_records
from jobs.figures.counting import count_changes
from jobs.figures.folding import KEPT_HOURS, KEPT_MINUTES, fold, prune_figures
from jobs.figures.histogram import BOUNDS, BUCKETS, LENGTH, added, histogram_of, lags_of, percentile
from jobs.figures.models import EVERYBODY, Figure, FigureSlice, What
from jobs.models import Record
from jobs.passes.changes import Change
from jobs.upkeep.purging import sweep_records
from jobs.verdicts import Claimed
from tests.jobs.pages import make_records


def sums(grain="hour", tenant=EVERYBODY):
    rows = Figure.objects.filter(grain=grain, tenant_id=tenant)
    return {(row.what, row.reason): row.number for row in rows}


def slice_of(job, tenant, what, number, at=None, reason="", times=()):
    return FigureSlice.objects.create(
        at=at or timezone.now(),
        job_id=job.pk,
        engine="1",
        tenant_id=tenant.pk,
        what=what,
        reason=reason,
        number=number,
        times=list(times),
    )


def test_what_a_pass_does_is_counted_with_its_times_and_its_reasons(pipeline, acme):
    good, unlicensed = pipeline.call(), pipeline.call(username="olga")
    pipeline.finish(good, unlicensed)
    fold()
    for grain, tenant in [("minute", EVERYBODY), ("hour", EVERYBODY), ("hour", acme.pk)]:
        found = sums(grain, tenant)
        assert found["taken", ""] == 2
        assert found["completed", ""] == 1
        assert found["skipped", "no_license"] == 1
    row = Figure.objects.get(grain="hour", tenant_id=EVERYBODY, what=What.COMPLETED)
    assert row.engine == str(pipeline.engine.pk)
    assert [sum(row.times[n * BUCKETS : (n + 1) * BUCKETS]) for n in range(3)] == [1, 1, 1]
    assert not FigureSlice.objects.exists()


def test_a_retried_record_is_counted_again_but_its_age_is_not(pipeline):
    call = pipeline.call()
    [record] = pipeline.finish(call)
    Record.objects.filter(pk=record.pk).update(
        state="in_progress", stage="new", generation=2, next_at=timezone.now(), created_at=timezone.now() - timedelta(9)
    )
    pipeline.finish(call)
    fold()
    row = Figure.objects.get(grain="hour", tenant_id=EVERYBODY, what=What.COMPLETED)
    assert row.number == 2
    assert sum(row.times) == 3


def test_what_an_operator_aborts_is_counted(job, acme, system):
    now = timezone.now()
    Record.objects.create(job=job, tenant=acme, record_type="call", record_id=uuid.uuid4(), next_at=now, created_at=now)
    abort_records(records=Record.objects.filter(job=job), actor="test", audit_tenant=system)
    fold()
    assert sums()["aborted", "aborted"] == 1


def test_folding_twice_adds_and_loses_nothing(job, acme, globex):
    first = histogram_of([(0.5, 3, 3.5), (700, 1, 701)])
    slice_of(job, acme, What.COMPLETED, 2, times=first)
    slice_of(job, globex, What.FAILED, 3, reason="engine_input")
    assert fold() == 2
    slice_of(job, acme, What.COMPLETED, 1, times=histogram_of([(0.5, 3, 3.5)]))
    slice_of(job, acme, What.COMPLETED, 1)
    assert fold() == 2
    assert fold() == 0
    assert sums() == {("completed", ""): 4, ("failed", "engine_input"): 3}
    assert sums(tenant=acme.pk) == {("completed", ""): 4}
    row = Figure.objects.get(grain="hour", tenant_id=EVERYBODY, what=What.COMPLETED)
    assert row.times == added([first, histogram_of([(0.5, 3, 3.5)])])


def test_a_late_slice_reaches_its_hour_and_no_minute_that_is_not_kept(job, acme):
    at = timezone.now() - KEPT_MINUTES - timedelta(hours=1)
    slice_of(job, acme, What.FAILED, 1, at=at)
    fold()
    assert sums("minute") == {}
    assert Figure.objects.get(grain="hour", tenant_id=acme.pk).at == at.replace(minute=0, second=0, microsecond=0)


def test_rebuilding_from_the_records_gives_the_figures_of_the_passes(pipeline, capsys):
    pipeline.finish(pipeline.call(), pipeline.call(username="olga"), pipeline.call(audio=False))
    fold()

    def all_rows():
        return sorted(Figure.objects.values_list("grain", "job_id", "engine", "tenant_id", "what", "reason", "number"))

    def times():
        return sorted(map(tuple, Figure.objects.values_list("times", flat=True)))

    counted, histograms = all_rows(), times()
    Figure.objects.update(number=99)
    call_command("figures", "rebuild")
    assert all_rows() == counted
    assert times() == histograms
    assert "rows of figures" in capsys.readouterr().out


def test_rebuilding_counts_an_end_for_the_engine_at_which_it_was(pipeline, acme):
    job = pipeline.job
    job.settings = {**job.settings, "fallbacks": [job.settings["engine"] + 1]}
    job.save()
    for place in (0, 1, 4):
        make_records(job, acme, state="completed", place=place, finished_at=timezone.now())
    call_command("figures", "rebuild")
    rows = Figure.objects.filter(grain="hour", tenant_id=acme.pk, what="completed").values_list("engine", "number")
    first, last = job.settings["engine"], job.settings["engine"] + 1
    assert dict(rows) == {str(first): 1, str(last): 2}


def test_old_figures_and_those_of_deleted_jobs_go_and_the_others_stay(job, acme):
    now = timezone.now()

    def figure(grain, at, job_id=job.pk):
        return Figure.objects.create(
            grain=grain, at=at, job_id=job_id, engine="", tenant_id=acme.pk, what="failed", reason="", number=1
        )

    kept = [figure("minute", now), figure("hour", now - KEPT_HOURS + timedelta(hours=1))]
    figure("minute", now - KEPT_MINUTES - timedelta(minutes=1))
    figure("hour", now - KEPT_HOURS - timedelta(hours=1))
    figure("hour", now, job_id=job.pk + 1)
    assert prune_figures() == 3
    assert set(Figure.objects.all()) == set(kept)


def test_a_deleted_tenant_leaves_no_figures(job, acme, globex):
    slice_of(job, acme, What.FAILED, 1)
    slice_of(job, globex, What.FAILED, 1)
    fold()
    slice_of(job, acme, What.FAILED, 1)
    sweep_records(acme.pk)
    assert not FigureSlice.objects.exists()
    assert set(Figure.objects.values_list("tenant_id", flat=True)) == {EVERYBODY, globex.pk}


def test_histograms_hold_their_upper_bounds_and_give_percentiles():
    assert histogram_of([]) == []
    counts = histogram_of([(bound, bound, bound) for bound in BOUNDS])
    assert counts == [*([1] * len(BOUNDS)), 0] * 3
    assert len(counts) == LENGTH
    lag = lags_of(histogram_of([(4, 0, 4)] * 99 + [(100_000, 0, 100_000)]))
    assert 2 < lag["wait"].p50 <= 5
    assert lag["wait"].p95 <= 5
    assert lag["work"].p95 <= 1
    assert percentile([0] * BUCKETS, 0.5) is None
    assert lags_of([])["total"].p50 is None
    assert percentile([0] * len(BOUNDS) + [1], 0.5) == BOUNDS[-1]


@pytest.mark.parametrize("rows", [1, 100])
def test_counting_a_batch_is_one_insert_however_many_records(job, acme, rows, django_assert_num_queries):
    def change(number):
        record = Claimed(number, 1, acme.pk, uuid.uuid4(), 1, "new", 0, 0, 0, 0, 0, "", None)
        return Change(record=record, state="failed", reason="engine_input")

    with django_assert_num_queries(1):
        count_changes(job, [change(number) for number in range(rows)])
    assert FigureSlice.objects.get().number == rows

"""All runs as a chart and side by side; how fast a job works now."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Pass, Run
from jobs.progress import speed_of
from tests.jobs.pages import shown, url


@pytest.fixture
def runs(job):
    """Three days, the oldest beyond the chart."""
    now = timezone.now()
    made = []
    for number, days in enumerate([40, 1, 0], start=1):
        day = (now - timedelta(days=days)).date()
        values = {"completed": number * 100, "errors": number, "recovered": 1, "recovered_by_guide": 50}
        made.append(Run.objects.create(job=job, number=number, day=day, started_at=now, last_activity_at=now, **values))
    return made


def swept(run, begun, ended, processed):
    now = timezone.now()
    return Pass.objects.create(
        run=run,
        job=run.job,
        state="running" if ended is None else "finished",
        started_at=now - timedelta(seconds=begun),
        ended_at=None if ended is None else now - timedelta(seconds=ended),
        heartbeat_until=now,
        processed=processed,
    )


def test_the_chart_has_thirty_days_with_true_recoveries_or_those_of_the_guide(root, job, runs):
    page = root.get(url("runs", job.pk))
    groups = page.context["chart"]["groups"]
    assert len(groups) == 30
    assert groups[-1]["text"].endswith("300 processed, 3 errors, 1 recovered errors")
    assert groups[-2]["text"].endswith("200 processed, 2 errors, 1 recovered errors")
    assert groups[0]["text"].endswith("0 processed, 0 errors, 0 recovered errors")
    guide = root.get(url("runs", job.pk) + page.context["guide_url"])
    assert guide.context["chart"]["groups"][-1]["text"].endswith("50 recovered errors")
    assert "Show true recoveries" in guide.content.decode()


def test_two_runs_are_compared_and_numbers_that_name_none_are_not(root, job, runs):
    page = root.get(url("runs", job.pk), {"a": 1, "b": 3})
    row = next(row for row in page.context["compared"]["rows"] if row["label"] == "completed")
    assert (row["a"], row["b"], row["difference"]) == (100, 300, "+200")
    for wrong in [{"a": 1}, {"a": 1, "b": 9}, {"a": "x", "b": 1}, {"a": "99999999999999999999", "b": 1}]:
        assert root.get(url("runs", job.pk), wrong).context["compared"] == {}


def test_the_speed_is_what_ended_in_the_last_five_minutes(job, runs):
    assert (speed_of(job, 10).a_minute, speed_of(job, 10).left) == (0, None)
    swept(runs[-1], 900, 600, 5000)
    assert speed_of(job, 10).a_minute == 0
    swept(runs[-1], 120, 60, 50)
    swept(runs[-1], 600, 0, 100)
    speed = speed_of(job, 40)
    assert speed.a_minute == pytest.approx(20, abs=0.5)
    assert speed.left.total_seconds() == pytest.approx(120, abs=5)
    assert speed_of(job, 0).left == timedelta(0)


def test_the_latest_run_says_throughput_and_when_it_is_done(root, job, runs):
    text = shown(root, url("latest_run", job.pk))
    assert "nothing is waiting" in text
    assert "0.0 records a minute" in text

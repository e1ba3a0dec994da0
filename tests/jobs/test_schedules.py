"""When jobs start: the seven schedules, cron rules, and changes of the clock."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from core.errors import InvalidInput
from jobs.models import JobDefinition, Schedule
from jobs.schedules import Start, cron_of, next_starts, start_of
from jobs.selectors import jobs_with_work
from jobs.services import request_due_starts
from queues.models import QueueItem
from tests.jobs.pages import shown, url


@pytest.mark.parametrize(
    ("schedule", "cron"),
    [
        ("manual", ""),
        ("continuous", ""),
        ("hourly", "30 * * * *"),
        ("daily", "30 2 * * *"),
        ("weekly", "30 2 * * 0"),
        ("monthly", "30 2 L * *"),
        ("cron", "5 4 * * 1-5"),
    ],
)
def test_each_of_the_seven_schedules_has_its_expression_and_is_read_back(schedule, cron):
    start = Start(time(2, 30), "0", "L")
    assert cron_of(schedule, start, "5 4 * * 1-5") == cron
    again = start_of(schedule, cron)
    assert cron_of(schedule, again, cron) == cron
    assert {choice.value for choice in Schedule} >= {schedule}
    assert len(Schedule) == 7


def shown_times(cron: str, zone: str, after: datetime, count: int) -> list[str]:
    return [moment.isoformat() for moment in next_starts(cron, zone, after, count)]


def test_a_time_that_spring_leaves_out_is_met_after_the_gap():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert shown_times("30 2 * * *", "Europe/Berlin", before, 2) == [
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]


def test_a_time_that_autumn_repeats_is_met_once_and_every_hour_counts_for_every_hour():
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert shown_times("30 2 * * *", "Europe/Berlin", before, 2) == [
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ]
    assert shown_times("0 * * * *", "Europe/Berlin", before, 3) == [
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


def test_in_the_repeated_hour_the_next_start_is_never_one_that_is_over():
    second_round = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert shown_times("30 2 * * *", "Europe/Berlin", second_round, 1) == ["2026-10-26T02:30:00+01:00"]


@pytest.mark.parametrize(
    ("cron", "rule"),
    [
        ("0 0 31 2 *", "never run: a month “2” has no day “31”"),
        ("0 0 30-31 2 *", "never run"),
        ("*/99999999999999 * * * *", "the step of the minute is at most 59"),
        ("0 0 * * 1,3/8", "the step of the weekday is at most 7"),
        ("0 0 31 4,6 *", "never run"),
        ("0 0 32 * *", "the day of the month cannot be “32”"),
        ("60 * * * *", "the minute cannot be “60”"),
        ("* 24 * * *", "the hour cannot be “24”"),
        ("* * * 13 *", "the month cannot be “13”"),
        ("* * * * 8", "the weekday cannot be “8”"),
        ("@reboot", "five fields"),
        ("* * * * * *", "five fields"),
        ("", "five fields"),
    ],
)
def test_an_expression_that_breaks_a_rule_is_refused_with_the_rule(cron, rule):
    with pytest.raises(InvalidInput, match=rule) as refused:
        next_starts(cron, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.field == "cron"


def test_a_rare_day_is_no_day_that_never_comes():
    assert shown_times("0 0 29 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC), 1) == ["2028-02-29T00:00:00+00:00"]


def test_a_simple_schedule_is_stored_and_shows_its_next_five_runs_in_its_own_zone(root, values):
    changes = {"schedule": "weekly", "start_at": "02:30", "weekday": "0", "time_zone": "Europe/Berlin"}
    assert root.post(url("add"), values(**changes)).status_code == 302
    job = JobDefinition.objects.get()
    assert job.cron == "30 2 * * 0"
    for page in (url("latest_run", job.pk), url("edit", job.pk)):
        text = shown(root, page)
        runs = next_starts(job.cron, job.time_zone, timezone.now(), 5)
        for run in runs:
            assert f"Sun {run:%Y-%m-%d %H:%M %Z}" in text
    form = root.get(url("edit", job.pk)).context["form"]
    assert (form["start_at"].value(), form["weekday"].value(), form["cron"].value()) == (time(2, 30), "0", "")
    assert "Every Week: Sunday 02:30" in shown(root, url("jobs"))


def test_a_timed_job_is_asked_to_start_once_when_its_time_has_come(job, queue, acme):
    hour_ago = timezone.now() - timedelta(hours=1)
    QueueItem.objects.create(
        queue=queue,
        tenant=acme,
        record_type="call",
        record_id="6b0c26a2-3d7e-4f0f-9a3c-000000000001",
        event="call.created",
        published_at=hour_ago,
        refreshed_at=hour_ago,
    )
    JobDefinition.objects.update(schedule="daily", cron="0 2 * * *")
    request_due_starts()
    assert jobs_with_work() == []
    JobDefinition.objects.update(next_start_at=hour_ago)
    request_due_starts()
    job.refresh_from_db()
    assert jobs_with_work() == [job.pk]
    assert job.next_start_at > timezone.now()
    asked = job.start_requested_at
    request_due_starts()
    job.refresh_from_db()
    assert job.start_requested_at == asked

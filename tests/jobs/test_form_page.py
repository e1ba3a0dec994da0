"""The form of a job: durations, labels, rules at their fields, conflicts."""

import re

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from jobs.form_fields import seconds_of
from jobs.models import JobDefinition
from queues.models import ProcessingQueue
from tests.jobs.pages import shown, url

TAGGED = {"field": "call.tag", "0": "not_empty"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:15", 15), ("2:00:00", 7200), ("90", 90), ("75:00", 4500), (" 1:05 ", 65), ("0", 0)]
)
def test_durations_are_written_as_in_the_guide(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "1:75:00", "-5", "1.5", "abc", "1:2", "٣:٠٠", "1e3"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="^" + re.escape(text)):
        seconds_of(text)


def test_a_job_is_stored_with_its_filters_and_shows_the_guides_labels(root, values):
    text = shown(root, url("add"))
    for label in (
        "Unrestricted - All tenants, including System",
        "Tenants only - All tenants, excluding System",
        "Incremental using queue",
        "Source Queue",
        "Transcription engine",
        "User - License",
        "Call - Duration",
        "Publish to queue(s)",
        "Continuously",
        "Manually",
        'value="2:00:00"',
    ):
        assert label in text, label
    assert root.post(url("add"), values()).status_code == 302
    saved = JobDefinition.objects.get(name="Second job")
    assert saved.filters == [
        {"field": "user.license", "op": "is", "value": "speech_analytics"},
        {"field": "call.duration", "op": "between", "value": [15, 7200]},
    ]
    assert AuditEntry.objects.filter(action="job.created").exists()


def test_every_rule_names_its_field_and_stores_nothing(root, values, job, queue):
    taken = ProcessingQueue.objects.create(name="Taken", events=["call.created"])
    JobDefinition.objects.filter(pk=job.pk).update(source_queue=taken)
    for changes, field in [
        ({"source_queue": taken.pk}, "source_queue"),
        ({"engine": ""}, "engine"),
        ({"engine": "99999"}, "engine"),
        ({"source_queue": ""}, "source_queue"),
        ({"name": "TRANSCRIBE recordings"}, "name"),
        ({"access_scope": "one_tenant"}, "tenant"),
        ({"access_scope": "tenant_groups"}, "tenant_groups"),
        ({"publish_to": [queue.pk]}, "publish_to"),
        ({"clause_1_1": "soon"}, "clause_1"),
        ({"clause_1_1": "3:00:00"}, "clause_1"),
        ({"clause_1_2": ""}, "clause_1"),
        ({"clause_1_0": "contains"}, "clause_1"),
        ({"clause_0_1": "nonsense"}, "clause_0"),
        ({"clause_0_0": ""}, "clause_0"),
        ({"clause_2_field": "call.secrets", "clause_2_0": "is", "clause_2_1": "x"}, "add_fact"),
        ({"clause_2_field": "call.tag", "clause_2_0": "is", "clause_2_1": " "}, "clause_2"),
        ({"clause_2_field": "call.tag", "clause_2_0": "between", "clause_2_1": "a"}, "clause_2"),
        ({"clause_2_field": "call.start_day", "clause_2_0": "is", "clause_2_1": "2026-02-30"}, "clause_2"),
        ({f"clause_{n}_{part}": v for n in range(2, 21) for part, v in TAGGED.items()}, "clause_0"),
        ({"schedule": "daily", "start_at": ""}, "start_at"),
        ({"schedule": "daily", "start_at": "25:00"}, "start_at"),
        ({"schedule": "weekly", "start_at": "02:30", "weekday": "7"}, "weekday"),
        ({"schedule": "monthly", "start_at": "02:30", "month_day": "31"}, "month_day"),
        ({"schedule": "cron", "cron": "* * * * * *"}, "cron"),
        ({"schedule": "cron", "cron": "@reboot"}, "cron"),
        ({"schedule": "cron", "cron": "0 0 31 2 *"}, "cron"),
        ({"schedule": "cron", "cron": "99 * * * *"}, "cron"),
        ({"schedule": "cron", "cron": ""}, "cron"),
        ({"schedule": "cron", "cron": "0 2 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"max_checks": "51"}, "max_checks"),
        ({"batch_size": "0"}, "batch_size"),
    ]:
        page = root.post(url("add"), values(**changes))
        assert page.status_code == 422, changes
        assert field in page.context["form"].errors, (changes, page.context["form"].errors)
    assert JobDefinition.objects.count() == 1
    assert (
        root.post(url("add"), values(schedule="cron", cron="0 2 * * *", time_zone="Asia/Jerusalem")).status_code == 302
    )
    assert JobDefinition.objects.get(name="Second job").next_start_at > timezone.now()
    assert "Next start" in shown(root, url("jobs"))


def test_filters_may_be_removed_and_stay_so(root, values, job):
    data = {name: value for name, value in values(name="Open", version=1).items() if not name.startswith("clause_")}
    assert root.post(url("edit", job.pk), data).status_code == 302
    job.refresh_from_db()
    assert job.filters == []
    assert "clause_0_field" not in shown(root, url("edit", job.pk))


def test_the_second_of_two_admins_gets_a_conflict(root, values, job):
    assert root.post(url("edit", job.pk), values(version=1, name="First")).status_code == 302
    page = root.post(url("edit", job.pk), values(version=1, name="Second"))
    assert page.status_code == 409
    assert re.search(r"Changed in the meantime by \S+ \([\d :-]+\): .*name", page.content.decode())
    assert 'value="Second"' in page.content.decode()
    assert JobDefinition.objects.get().name == "First"


def test_save_and_start_asks_for_a_start(root, values):
    root.post(url("add"), values(schedule="manual", action="save_and_start"))
    assert JobDefinition.objects.get().start_requested_at is not None

"""Pause, Start after it, Stop, Clone, and the changes of many jobs at once."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from core.errors import Conflict
from jobs.models import JobDefinition, Record
from jobs.passes.running import run_pass
from jobs.selectors import jobs_reading, jobs_with_work
from jobs.services import pause_job, request_due_starts, request_start, resume_job, set_enabled
from queues.models import QueueItem
from tests.jobs.pages import shown, url
from tests.polling import until


def actions(client, job) -> set[str]:
    page = client.get(url("latest_run", job.pk))
    return {name for name in ("start", "pause", "stop", "enable") if f"{name}_url" in page.context}


def test_a_paused_job_finishes_what_is_under_way_and_takes_nothing_new(pipeline, system):
    pipeline.server.control("POST", "/_emu/hold", {"hold": True})
    under_way = pipeline.call(seconds=3)
    until(lambda: pipeline.sweep() or pipeline.record_of(under_way).stage == Record.Stage.CHECKING, seconds=10)
    taken = Record.objects.create(
        job=pipeline.job,
        tenant=under_way_tenant(pipeline, under_way),
        record_type="call",
        record_id="6b0c26a2-3d7e-4f0f-9a3c-000000000001",
        next_at=timezone.now(),
        created_at=timezone.now(),
    )
    pause_job(job=pipeline.job, actor="test", audit_tenant=system)
    new = pipeline.call(seconds=3)
    pipeline.server.control("POST", "/_emu/hold", {"hold": False})
    until(lambda: pipeline.sweep() or pipeline.record_of(under_way).state == Record.State.COMPLETED, seconds=25)
    taken.refresh_from_db()
    assert (taken.state, taken.fence) == (Record.State.IN_PROGRESS, 0)
    assert QueueItem.objects.filter(record_id=new.pk).exists()
    assert (jobs_with_work(), jobs_reading([pipeline.queue.pk])) == ([], [])
    pipeline.job.refresh_from_db()
    resume_job(job=pipeline.job, actor="test", audit_tenant=system)
    assert jobs_with_work() == [pipeline.job.pk]
    [record] = pipeline.finish(new)
    assert record.state == Record.State.COMPLETED
    taken.refresh_from_db()
    assert taken.state == Record.State.SKIPPED


def under_way_tenant(pipeline, call):
    return pipeline.record_of(call).tenant


def test_pause_and_start_by_their_buttons_with_a_badge_and_refusals(root, job):
    assert actions(root, job) == {"start", "pause", "stop"}
    root.post(url("pause", job.pk))
    assert actions(root, job) == {"start", "stop"}
    for page in (url("latest_run", job.pk), url("jobs")):
        assert re.search(r"p-tone-warning[^>]*>.*?Paused</span>", shown(root, page), re.DOTALL)
    assert "Only an enabled job that is not paused" in root.post(url("pause", job.pk), follow=True).content.decode()
    root.post(url("start", job.pk))
    job.refresh_from_db()
    assert (job.status, job.start_requested_at) == ("enabled", None)
    assert list(AuditEntry.objects.filter(target_type="job").order_by("position").values_list("action", flat=True)) == [
        "job.paused",
        "job.resumed",
    ]


def test_a_pause_and_a_resume_that_come_too_late_change_nothing(job, system):
    seen = {"job": job, "actor": "test", "audit_tenant": system}
    with pytest.raises(Conflict):
        resume_job(**seen)
    pause_job(**seen)
    with pytest.raises(Conflict):
        pause_job(**seen)
    with pytest.raises(Conflict):
        request_start(**seen)
    JobDefinition.objects.update(enabled=False)
    with pytest.raises(Conflict):
        resume_job(**seen)


def test_stop_aborts_where_pause_does_not_and_ends_the_pause(job, acme, system):
    now = timezone.now()
    record = Record.objects.create(
        job=job, tenant=acme, record_type="call", record_id=acme.pk, next_at=now, created_at=now
    )
    pause_job(job=job, actor="test", audit_tenant=system)
    assert not run_pass(job.pk) or Record.objects.get(pk=record.pk).fence == 0
    assert Record.objects.get(pk=record.pk).state == Record.State.IN_PROGRESS
    set_enabled(job=job, enabled=False, actor="test", audit_tenant=system)
    assert Record.objects.get(pk=record.pk).state == Record.State.ABORTED
    job.refresh_from_db()
    assert (job.status, job.paused_at) == ("disabled", None)


def test_starts_that_fell_into_a_pause_or_a_stop_are_not_made_up_for(job, system):
    past = timezone.now() - timedelta(hours=1)
    JobDefinition.objects.update(schedule="daily", cron="0 2 * * *", paused_at=past, next_start_at=past)
    request_due_starts()
    job.refresh_from_db()
    assert job.start_requested_at is None
    resume_job(job=job, actor="test", audit_tenant=system)
    request_due_starts()
    job.refresh_from_db()
    assert job.start_requested_at is None
    assert job.next_start_at > timezone.now()
    set_enabled(job=job, enabled=False, actor="test", audit_tenant=system)
    JobDefinition.objects.update(next_start_at=past)
    set_enabled(job=job, enabled=True, actor="test", audit_tenant=system)
    job.refresh_from_db()
    assert job.next_start_at > timezone.now()


def test_a_clone_has_the_settings_under_a_new_name_and_is_disabled(root, job, queue, acme):
    JobDefinition.objects.update(
        access_scope="one_tenant", tenant=acme, max_checks=7, schedule="cron", cron="1 2 * * *"
    )
    assert f'value="Copy of {job.name}"' in shown(root, url("clone", job.pk))
    taken = root.post(url("clone", job.pk), {"name": job.name.upper()})
    assert taken.status_code == 422
    assert root.post(url("clone", job.pk), {"name": "Twin"}).status_code == 302
    twin = JobDefinition.objects.get(name="Twin")
    assert (twin.enabled, twin.paused_at, twin.next_start_at, twin.version) == (False, None, None, 1)
    assert (twin.filters, twin.settings, twin.tenant, twin.max_checks) == (job.filters, job.settings, acme, 7)
    assert (twin.source_queue, twin.schedule, twin.cron) == (queue, "cron", "1 2 * * *")
    refused = root.post(url("enable", twin.pk), follow=True).content.decode()
    assert "reads this queue already" in refused
    root.post(url("stop", job.pk))
    root.post(url("enable", twin.pk))
    twin.refresh_from_db()
    assert twin.enabled
    assert twin.next_start_at > timezone.now()


@pytest.fixture
def three(job, engine):
    """Enabled, paused and disabled."""
    made = [job]
    for number, values in enumerate([{"paused_at": timezone.now()}, {"enabled": False}]):
        queue = type(job.source_queue).objects.create(name=f"Q{number}", events=["call.created"])
        made.append(
            JobDefinition.objects.create(
                name=f"J{number}", kind="transcription", source_queue=queue, settings=job.settings, **values
            )
        )
    return made


def statuses() -> list[str]:
    return [job.status for job in JobDefinition.objects.order_by("pk")]


def test_the_list_filters_by_status_and_changes_many_by_filter(root, three):
    for status, job in zip(("enabled", "paused", "disabled"), three, strict=True):
        rows = root.get(url("jobs"), {"status": status}).context["table"].rows
        assert [row.record.pk for row in rows] == [job.pk]
    asked = root.post(url("jobs_bulk") + "?status=enabled", {"action": "pause", "all_matching": "1"})
    assert "1 row" in asked.content.decode()
    assert statuses() == ["enabled", "paused", "disabled"]
    confirmed = {"action": "pause", "all_matching": "1", "confirmed": "1"}
    root.post(url("jobs_bulk") + "?status=enabled", confirmed)
    assert statuses() == ["paused", "paused", "disabled"]


@pytest.mark.parametrize(
    ("action", "after", "skipped"),
    [
        ("enable", ["enabled", "paused", "enabled"], 2),
        ("start", ["enabled", "enabled", "disabled"], 1),
        ("pause", ["paused", "paused", "disabled"], 2),
        ("disable", ["disabled", "disabled", "disabled"], 1),
    ],
)
def test_what_cannot_be_changed_is_skipped_and_named_and_each_change_has_its_row(root, three, action, after, skipped):
    before = AuditEntry.objects.count()
    data = {"action": action, "selection": [job.pk for job in three], "confirmed": "1"}
    page = root.post(url("jobs_bulk"), data, follow=True)
    assert statuses() == after
    said = [str(message) for message in page.context["messages"]]
    assert sum("was skipped" in text for text in said) == skipped
    assert AuditEntry.objects.count() == before + 3 - skipped


def test_a_bulk_action_whose_filters_break_a_rule_changes_nothing(root, three):
    data = {"action": "disable", "all_matching": "1", "confirmed": "1"}
    assert root.post(url("jobs_bulk") + "?status=nonsense", data).status_code == 400
    assert statuses() == ["enabled", "paused", "disabled"]

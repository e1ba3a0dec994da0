"""The troubleshooting page of a job: the guide's order, answered as of now, with where to mend what is wrong."""

import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from jobs.circuits.models import Circuit
from jobs.models import JobDefinition, LogEntry, Pass, Record, Run
from jobs.workers.models import Worker
from queues.models import ProcessingQueue, QueueItem
from tenants.models import TenantGroup
from transcription.models import SpeechEngine

QUESTIONS = ["enabled", "last run", "log warn", "pending", "filters", "licences", "limits", "engine", "fail", "workers"]


@pytest.fixture
def job(acme):
    now = timezone.now()
    queue = ProcessingQueue.objects.create(name="Calls", events=["call.created"])
    engine = SpeechEngine.objects.create(name="Native", engine_type="native_v2", settings={})
    job = JobDefinition.objects.create(
        name="Job", kind="transcription", source_queue=queue, settings={"engine": engine.pk}
    )
    run = Run.objects.create(job=job, number=1, day=now.date(), started_at=now, last_activity_at=now)
    Pass.objects.create(run=run, job=job, state="finished", started_at=now, ended_at=now, heartbeat_until=now)
    Worker.objects.create(
        id=uuid.uuid4(),
        name="w",
        host="h",
        pid=1,
        version="1",
        pool="prefork",
        processes=1,
        prefetch=1,
        started_at=now,
        heartbeat_at=now,
    )
    record(job, acme, "completed")
    return job


def record(job, tenant, state, reason="", **fields):
    now = timezone.now()
    return Record.objects.create(
        job=job,
        tenant=tenant,
        record_type="call",
        record_id=uuid.uuid4(),
        state=state,
        reason=reason,
        next_at=now,
        created_at=now,
        **fields,
    )


def steps_of(client, job):
    page = client.get(reverse("usage:troubleshooting", args=[job.pk]))
    assert page.status_code == 200
    return dict(zip(QUESTIONS, page.context["lines"], strict=True))


def test_a_job_that_works_is_in_order_in_every_step(client_for, people, job, django_assert_max_num_queries):
    client = client_for(people.platform_admin)
    with django_assert_max_num_queries(20):
        steps = steps_of(client, job)
    assert {name: step.line.verdict for name, step in steps.items()} == dict.fromkeys(QUESTIONS, "ok")
    page = client.get(reverse("jobs:latest_run", args=[job.pk])).content.decode()
    assert reverse("usage:troubleshooting", args=[job.pk]) in page


BREAKS = {
    "enabled": lambda job, _acme: JobDefinition.objects.update(enabled=False),
    "last run": lambda job, _acme: Pass.objects.update(state="crashed"),
    "log warn": lambda job, _acme: LogEntry.objects.create(
        job=job, at=timezone.now(), severity="error", message="It broke"
    ),
    "pending": lambda job, _acme: ProcessingQueue.objects.update(paused=True),
    "filters": lambda job, acme: record(job, acme, "skipped", "filtered:call.duration"),
    "licences": lambda job, acme: record(job, acme, "skipped", "no_license"),
    "limits": lambda job, acme: record(job, acme, "in_progress", "limit_org_month", wait="limit"),
    "engine": lambda job, _acme: Circuit.objects.create(
        key=f"transcription:{job.settings['engine']}",
        state="open",
        window_began=timezone.now(),
        opened_at=timezone.now(),
        reason="503",
    ),
    "fail": lambda job, acme: record(job, acme, "failed", "engine_input"),
    "workers": lambda job, _acme: Worker.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_fault_shows_in_its_step_alone_with_advice_and_where_to_mend_it(client_for, people, job, acme, name):
    BREAKS[name](job, acme)
    client = client_for(people.platform_admin)
    steps = steps_of(client, job)
    assert {other for other, step in steps.items() if step.line.verdict != "ok"} == {name}
    assert steps[name].line.verdict == "failed"
    assert steps[name].line.advice
    assert client.get(steps[name].url).status_code == 200


@pytest.mark.parametrize("change", [{"enabled": False}, {"paused_at": timezone.now(), "pause_reason": "bad token"}])
def test_an_engine_that_is_disabled_or_paused_is_said(client_for, people, job, change):
    SpeechEngine.objects.update(**change)
    assert steps_of(client_for(people.platform_admin), job)["engine"].line.verdict == "failed"


def test_of_several_engines_one_that_cannot_be_used_is_a_warning_unless_work_begins_there(client_for, people, job):
    second = SpeechEngine.objects.create(name="Second", engine_type="native_v2", settings={})
    JobDefinition.objects.update(settings={**job.settings, "fallbacks": [second.pk]})
    client = client_for(people.platform_admin)
    assert steps_of(client, job)["engine"].line.value == "Native → Second"
    SpeechEngine.objects.filter(pk=second.pk).update(enabled=False)
    line = steps_of(client, job)["engine"].line
    assert (line.verdict, line.value) == ("warning", "Second")
    SpeechEngine.objects.update(enabled=True)
    first = SpeechEngine.objects.filter(pk=job.settings["engine"])
    first.update(enabled=False)
    line = steps_of(client, job)["engine"].line
    assert (line.verdict, line.value) == ("failed", "Native"), "nothing begins"
    JobDefinition.objects.update(settings={**job.settings, "fallbacks": [second.pk], "stand_in": "paused"})
    line = steps_of(client, job)["engine"].line
    assert (line.verdict, line.value) == ("warning", "Native"), "the other one begins it"
    SpeechEngine.objects.update(enabled=False)
    assert steps_of(client, job)["engine"].line.verdict == "failed"


def test_a_late_queue_and_a_missing_engine_are_said(client_for, people, job, acme):
    old = timezone.now() - timedelta(hours=1)
    QueueItem.objects.create(
        queue=job.source_queue,
        tenant=acme,
        record_type="call",
        record_id=uuid.uuid4(),
        event="call.created",
        published_at=old,
        refreshed_at=old,
    )
    JobDefinition.objects.update(settings={})
    steps = steps_of(client_for(people.platform_admin), job)
    assert steps["pending"].line.verdict == "warning"
    assert "1 record" in steps["pending"].line.value
    assert steps["engine"].line.verdict == "failed"


def test_a_few_left_out_are_a_warning_and_their_share_is_said(client_for, people, job, acme):
    for _number in range(3):
        record(job, acme, "completed")
    record(job, acme, "skipped", "filtered:call.duration")
    line = steps_of(client_for(people.platform_admin), job)["filters"].line
    assert line.verdict == "warning"
    assert "1 of the last 5 records" in line.value
    assert "call.duration" in line.value


def test_staff_of_some_tenants_are_told_of_their_records_alone(client_for, people, job, acme, globex, system):
    record(job, acme, "failed", "engine_input")
    LogEntry.objects.create(
        job=job, at=timezone.now(), severity="error", message="Of acme", record=Record.objects.latest("pk")
    )
    role = Role.objects.create(
        tenant=system, name="East", platform=True, scope="managed_groups", granted=["home.view", "jobs.view"]
    )
    staff = User.objects.create(tenant=system, username="rita", username_key="rita", role=role)
    group = TenantGroup.objects.create(name="East")
    group.tenants.add(globex)
    staff.managed_tenant_groups.add(group)
    steps = steps_of(client_for(staff), job)
    assert steps["fail"].line.verdict == steps["log warn"].line.verdict == "ok"
    assert steps["engine"].url == steps["licences"].url == ""
    assert steps_of(client_for(people.platform_admin), job)["fail"].line.verdict == "failed"


def test_a_poll_is_204_until_something_changes(client_for, people, job):
    client, url = client_for(people.platform_admin), reverse("usage:troubleshooting", args=[job.pk])
    poll = {"HX-Request": "true", "HX-Target": "div#check-list", "If-None-Match": client.get(url)["ETag"]}
    assert client.get(url, headers=poll).status_code == 204
    JobDefinition.objects.update(enabled=False)
    assert client.get(url, headers=poll).status_code == 200


def test_the_verdict_is_a_word_and_not_a_colour_alone(client_for, people, job):
    JobDefinition.objects.update(enabled=False)
    text = client_for(people.platform_admin).get(reverse("usage:troubleshooting", args=[job.pk])).content.decode()
    assert "Mend it" in text
    assert "In order" in text

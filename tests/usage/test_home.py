"""The start page: the platform's pipeline for its administrators, only the own calls for everybody else."""

import html
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from conversations.models import Call
from jobs.circuits.models import Circuit
from jobs.figures.folding import fold
from jobs.figures.histogram import histogram_of
from jobs.figures.models import FigureSlice
from jobs.models import JobDefinition, Record
from jobs.workers.models import Worker
from queues.models import ProcessingQueue, QueueItem
from tenants.models import TenantGroup
from transcription.models import SpeechEngine

HOME = "/"
TRANSCRIPTION = "/administration/speech-analytics/transcription"


@pytest.fixture
def busy(acme, globex):
    now = timezone.now()
    read = ProcessingQueue.objects.create(name="Read", events=["call.created"])
    unread = ProcessingQueue.objects.create(name="Unread", events=["call.created"])
    engine = SpeechEngine.objects.create(
        name="Broken", engine_type="native_v2", settings={}, paused_at=now, pause_reason="token expired"
    )
    job = JobDefinition.objects.create(
        name="Job A", kind="transcription", source_queue=read, settings={"engine": engine.pk}
    )
    for queue in (read, unread):
        QueueItem.objects.create(
            queue=queue,
            tenant=acme,
            record_type="call",
            record_id=uuid.uuid4(),
            event="call.created",
            published_at=now,
            refreshed_at=now,
        )
    for tenant, state in [(acme, "failed"), (globex, "completed")]:
        Record.objects.create(
            job=job,
            tenant=tenant,
            record_type="call",
            record_id=uuid.uuid4(),
            state=state,
            next_at=now,
            created_at=now,
            finished_at=now,
        )
        FigureSlice.objects.create(
            at=now,
            job_id=job.pk,
            engine=str(engine.pk),
            tenant_id=tenant.pk,
            what=state,
            reason="engine_input" if state == "failed" else "",
            number=1,
            times=histogram_of([(3, 40, 43)]) if state == "completed" else [],
        )
    fold()
    return job


def calls(inside, tenant, people_user, *names):
    with inside(tenant):
        for name in names:
            Call.objects.create(external_id=name, from_name=name, started_at=timezone.now(), user=people_user)


def test_platform_admins_see_the_pipeline_and_what_needs_attention(
    client_for, people, busy, acme, django_assert_max_num_queries
):
    client = client_for(people.platform_admin)
    with django_assert_max_num_queries(20):
        page = client.get(HOME)
    text = page.content.decode()
    for shown in (
        "Pending in queues",
        "The engine “Broken” is paused: token expired",
        "1 record failed within a day",
        "No enabled job reads the queue “Unread”",
        "Job A",
    ):
        assert shown in text, shown
    assert "queue “Read”" not in text
    values = {str(tile["label"]): tile["value"] for tile in page.context["tiles"]}
    assert values == {
        "Pending in queues": "2",
        "Wait until taken up": "0:05",
        "In progress": "0",
        "Completed in 24 hours": "1",
        "Failed in 24 hours": "1",
        "Skipped in 24 hours": "0",
        "Minutes today": "0",
    }
    assert "50.0 % of 2 outcomes of 24 hours are without a result; a retry counts anew" in text
    for where in (
        f"/jobs/{busy.pk}/records/?status=failed&amp;reason=engine_input",
        f"/jobs/{busy.pk}/records/?status=failed&amp;tenant={acme.pk}",
    ):
        assert where in text, where
        found = re.search(re.escape(where) + '[^"]*', text)
        assert client.get(TRANSCRIPTION + html.unescape(found[0])).status_code == 200


def test_an_engine_whose_circuit_is_open_shows_as_failing(client_for, people, busy):
    SpeechEngine.objects.update(paused_at=None)
    [engine] = SpeechEngine.objects.all()
    now = timezone.now()
    Circuit.objects.create(
        key=f"transcription:{engine.pk}", state="open", window_began=now, opened_at=now, reason="503 from the engine"
    )
    text = client_for(people.platform_admin).get(HOME).content.decode()
    assert "503 from the engine" in text
    assert "Failing" in text


def test_staff_of_some_tenants_see_the_figures_of_these_alone(client_for, people, busy, globex, system):
    group = TenantGroup.objects.create(name="Two")
    group.tenants.add(globex)
    role = Role.objects.create(
        tenant=system, name="East", platform=True, scope="managed_groups", granted=["home.view", "jobs.view"]
    )
    staff = User.objects.create(tenant=system, username="rita", username_key="rita", role=role)
    staff.managed_tenant_groups.add(group)
    page = client_for(staff).get(HOME)
    values = {str(tile["label"]): tile["value"] for tile in page.context["tiles"]}
    assert (values["Completed in 24 hours"], values["Failed in 24 hours"], values["Pending in queues"]) == (
        "1",
        "0",
        "0",
    )
    assert "Acme" not in page.content.decode()


def test_a_dead_crew_is_said_and_a_living_one_is_not(client_for, people, busy):
    client, now = client_for(people.platform_admin), timezone.now()
    shown = "No worker is alive"
    assert shown not in client.get(HOME).content.decode()
    worker = Worker.objects.create(
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
    assert shown not in client.get(HOME).content.decode()
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=now - timedelta(minutes=1))
    assert shown in client.get(HOME).content.decode()


def test_many_failures_of_the_last_hour_and_late_work_are_said(client_for, people, busy, acme):
    client = client_for(people.platform_admin)
    assert "of what ended in the last hour failed" not in client.get(HOME).content.decode()
    for what, number, times in [("completed", 30, [(900, 40, 940)] * 30), ("failed", 20, [])]:
        FigureSlice.objects.create(
            at=timezone.now(), job_id=busy.pk, tenant_id=acme.pk, what=what, number=number, times=histogram_of(times)
        )
    fold()
    text = client.get(HOME).content.decode()
    assert "40.4 % of what ended in the last hour failed" in text
    assert "Live work is late" in text


def test_tenant_users_see_only_their_own_tenant(
    client_for, people, busy, inside, acme, globex, django_assert_max_num_queries
):
    calls(inside, acme, people.agent, "Anna", "Boris")
    calls(inside, globex, None, "Zoe")
    client = client_for(people.tenant_admin)
    with django_assert_max_num_queries(15):
        text = client.get(HOME).content.decode()
    assert "Anna" in text
    for foreign in ("Zoe", "Job A", "Broken", "Pending in queues", "token expired"):
        assert foreign not in text, foreign
    page = client_for(people.other_agent).get(HOME)
    assert "Anna" not in page.content.decode()
    assert {tile["value"] for tile in page.context["tiles"]} == {"0"}
    assert "Anna" in client_for(people.agent).get(HOME).content.decode()


def test_a_poll_answers_204_until_a_call_comes(client_for, people, inside, acme):
    client = client_for(people.tenant_admin)
    poll = {"HX-Request": "true", "HX-Target": "div#home", "If-None-Match": client.get(HOME)["ETag"]}
    assert client.get(HOME, headers=poll).status_code == 204
    calls(inside, acme, None, "New")
    assert client.get(HOME, headers=poll).status_code == 200


def test_strangers_are_sent_to_the_sign_in_page(client, db):
    assert client.get(HOME).url.startswith(reverse("accounts:sign_in"))

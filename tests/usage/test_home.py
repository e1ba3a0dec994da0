"""The start page: the platform's pipeline for its administrators, only the own calls for everybody else."""

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from conversations.models import Call
from jobs.models import JobDefinition, Record
from queues.models import ProcessingQueue, QueueItem
from transcription.models import SpeechEngine

HOME = "/"


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
    return job


def calls(inside, tenant, people_user, *names):
    with inside(tenant):
        for name in names:
            Call.objects.create(external_id=name, from_name=name, started_at=timezone.now(), user=people_user)


def test_platform_admins_see_the_pipeline_and_what_needs_attention(
    client_for, people, busy, django_assert_max_num_queries
):
    client = client_for(people.platform_admin)
    with django_assert_max_num_queries(15):
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
    assert [tile["value"] for tile in page.context["tiles"]] == ["2", "0", "1", "1", "0"]


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

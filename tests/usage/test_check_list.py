"""The check list of the guide: what is missing is named, and where to mend it."""

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from jobs.models import JobDefinition
from licensing.models import SeatLimit
from queues.models import ProcessingQueue
from tests.usage.conftest import set_limits
from transcription.models import SpeechEngine
from usage.checklist import check_list

pytestmark = pytest.mark.django_db
NAMES = ("tenant", "limits", "seats", "licences", "roles", "queue", "job", "engine")


def verdicts(tenant) -> dict[str, str]:
    return dict(zip(NAMES, (line.verdict for line in check_list(tenant)), strict=True))


@pytest.fixture
def working(acme, licensed):
    """Acme with everything that a transcription needs."""
    set_limits(acme, user_month=100)
    SeatLimit.objects.create(tenant=acme, bundle="speech_analytics", seats=5)
    queue = ProcessingQueue.objects.create(name="Calls", events=["call.created"])
    engine = SpeechEngine.objects.create(name="Native", engine_type="native_v2", settings={})
    JobDefinition.objects.create(
        name="Transcribe", kind="transcription", source_queue=queue, settings={"engine": engine.pk}
    )
    return acme


def test_a_tenant_that_has_everything_is_in_order(working):
    assert set(verdicts(working).values()) == {"ok"}
    lines = check_list(working)
    assert lines[3].value == "2 of 4 users"
    assert "Tenant administrator (1)" in lines[4].value


@pytest.mark.parametrize(
    ("name", "verdict", "spoil"),
    [
        ("tenant", "failed", lambda t: type(t).objects.filter(pk=t.pk).update(state="suspended")),
        ("limits", "warning", lambda t: set_limits(t, user_month=None)),
        ("limits", "failed", lambda t: set_limits(t, user_month=0)),
        ("seats", "warning", lambda t: SeatLimit.objects.filter(tenant=t).delete()),
        ("licences", "warning", lambda t: SeatLimit.objects.filter(tenant=t).update(seats=1)),
        ("roles", "failed", lambda t: User.objects.filter(tenant=t).update(is_active=False)),
        ("queue", "failed", lambda t: ProcessingQueue.objects.update(enabled=False)),
        ("job", "failed", lambda t: JobDefinition.objects.update(enabled=False)),
        ("engine", "failed", lambda t: SpeechEngine.objects.update(paused_at=timezone.now())),
        ("engine", "failed", lambda t: SpeechEngine.objects.update(enabled=False)),
    ],
)
def test_what_is_missing_is_named(working, name, verdict, spoil):
    spoil(working)
    working.refresh_from_db()
    assert verdicts(working)[name] == verdict


def test_the_scope_of_another_tenant_does_not_count(working, globex):
    assert verdicts(globex)["job"] == "ok"
    JobDefinition.objects.update(access_scope="one_tenant", tenant=working)
    assert verdicts(globex)["job"] == "failed"
    assert verdicts(working)["job"] == "ok"


def test_the_page_links_only_where_the_viewer_may_go(working, client_for, people, django_assert_max_num_queries):
    url = reverse("usage:check_list", args=[working.pk])
    admin = client_for(people.tenant_admin)
    with django_assert_max_num_queries(20):
        mine = admin.get(url).content.decode()
    staff = client_for(people.platform_admin).get(url).content.decode()
    assert reverse("queues:queues") not in mine.split("<main")[1]
    assert reverse("queues:queues") in staff.split("<main")[1]
    assert reverse("accounts:roles") in mine.split("<main")[1]
    poll = {"HX-Request": "true", "HX-Target": "div#check-list"}
    client = client_for(people.tenant_admin)
    stamp = client.get(url)["ETag"]
    assert client.get(url, headers=poll | {"If-None-Match": stamp}).status_code == 204

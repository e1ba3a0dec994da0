"""The demo's offline tasks: there for a newcomer, once, and open to the API."""

import pytest

from accounts.models import User
from accounts.realms.models import RealmSetting
from audit.models import AuditEntry
from conversations.models import Call
from demo import services
from demo.manifest import Manifest, read_manifest
from miaop.models import Meeting, Task
from miaop.services import archive_tasks
from tenants.doors import enter
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(monkeypatch, acme, globex, system) -> Manifest:
    """The demo of acme and globex, whose schemas are there, without its speech engine, calls and threads."""
    whole = read_manifest()
    tenants = [each for each in whole.tenants if each.alias in (acme.slug, globex.slug)]
    manifest = whole.model_copy(update={"tenants": tenants})
    monkeypatch.setenv("PARLANCE_DEMO_SEED", "tests")
    monkeypatch.setattr(services, "read_manifest", lambda: manifest)
    for leave_out in ("_pipeline", "_calls", "_threads"):
        monkeypatch.setattr(services, leave_out, lambda *_arguments: None)
    return manifest


def tasks_of(tenant: Tenant) -> list[Task]:
    with enter(tenant):
        return list(Task.objects.select_related("submitted_by"))


def test_each_tenant_offers_the_api_and_has_one_task_also_when_it_is_loaded_twice(small, acme, globex):
    for _load in range(2):
        services.load_demo()
    for tenant in (acme, globex):
        assert RealmSetting.objects.get(tenant=tenant).enabled
        [task] = tasks_of(tenant)
        assert (task.task_id, task.submitted_by.role.name) == (f"demo-{tenant.slug}", "Supervisor")
    assert AuditEntry.objects.filter(action="miaop.submitted").count() == 2
    with enter(acme):
        call = Call.objects.get(pk=Meeting.objects.get().call_id)
        # What the job of the demo asks of a call, so that it ends with a transcript.
        assert call.duration_ms >= 15_000
        assert call.user.licences.exists()
        assert call.attributes == {"miaop.crm": "A-17"}


def test_a_task_that_somebody_archived_stays_archived(small, acme):
    services.load_demo()
    with enter(acme):
        archive_tasks(
            tenant=acme,
            caller=User.objects.get(tenant=acme, username="marcus"),
            tasks=Task.objects.all(),
            archived=True,
        )
    services.load_demo()
    assert [task.archived for task in tasks_of(acme)] == [True]

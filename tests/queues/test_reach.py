"""Staff of some tenant groups change queues and jobs that serve nobody else; of wider ones they see their own rows."""

import pytest
from django.urls import reverse

from accounts.models import Role, User
from accounts.services import create_user
from audit.models import AuditEntry
from jobs.models import JobDefinition
from queues.models import ProcessingQueue, QueueItem
from queues.reach import within_reach
from tenants.services import create_group
from tests.conftest import PASSWORD
from tests.jobs import pages
from tests.queues.filling import fill
from transcription.models import SpeechEngine

CODES = ["queues.view", "queues.edit", "jobs.view", "jobs.edit", "jobs.records.edit", "pairing.view", "pairing.edit"]


@pytest.fixture
def gold(acme, system):
    return create_group(name="Gold", tenants=[acme], actor="test", audit_tenant=system)


@pytest.fixture
def mixed(acme, globex, system):
    return create_group(name="Mixed", tenants=[acme, globex], actor="test", audit_tenant=system)


@pytest.fixture
def gina(system, gold):
    """Platform staff who manage the group Gold, that is acme."""
    role = Role.objects.create(tenant=system, name="R", platform=True, scope="managed_groups", granted=CODES)
    made = create_user(tenant=system, username="gina", password=PASSWORD, role="platform_admin", actor="test")
    User.objects.filter(pk=made.pk).update(role=role)
    made.managed_tenant_groups.set([gold])
    return User.objects.get(pk=made.pk)


@pytest.fixture
def client(client_for, gina):
    return client_for(gina)


def queue_of(name, scope="global", groups=(), **more):
    queue = ProcessingQueue.objects.create(name=name, scope=scope, events=["call.created"], **more)
    queue.tenant_groups.set(groups)
    return queue


def job_of(name, scope="unrestricted", groups=(), **more):
    job = JobDefinition.objects.create(name=name, access_scope=scope, kind="transcription", settings={}, **more)
    job.tenant_groups.set(groups)
    return job


def test_only_what_lies_wholly_within_the_managed_groups_is_within_reach(gina, people, acme, globex, gold, mixed):
    made = {
        "global": queue_of("Global"),
        "acme": queue_of("Acme", "one_tenant", tenant=acme),
        "globex": queue_of("Globex", "one_tenant", tenant=globex),
        "gold": queue_of("Gold", "tenant_groups", [gold]),
        "mixed": queue_of("Mixed", "tenant_groups", [mixed]),
        "both": queue_of("Both", "tenant_groups", [gold, mixed]),
        "none": queue_of("None", "tenant_groups"),
    }
    found = set(within_reach(ProcessingQueue.objects.all(), gina))
    assert found == {made["acme"], made["gold"]}
    everything = within_reach(ProcessingQueue.objects.all(), people.platform_admin)
    assert everything.count() == len(made)


@pytest.mark.parametrize("name", ["pause", "resume", "enable", "drain", "purge", "keep", "delete", "edit"])
def test_a_wider_queue_is_refused_with_words_and_a_narrow_one_is_not(client, acme, gold, name):
    wide, narrow = queue_of("Wide"), queue_of("Narrow", "tenant_groups", [gold])
    fill(wide, acme, 1)
    posted = {"confirm_name": "Wide"}
    refused = client.post(reverse(f"queues:{name}", args=[wide.pk]), posted)
    assert refused.status_code == 403
    assert "“Wide” serves tenants beyond the groups that you manage." in refused.content.decode()
    assert QueueItem.objects.count() == 1
    assert not AuditEntry.objects.filter(target_type="queue").exists()
    allowed = client.post(reverse(f"queues:{name}", args=[narrow.pk]), {"confirm_name": "Narrow"})
    assert allowed.status_code in {302, 422}


@pytest.mark.parametrize("name", ["pause", "stop", "start", "enable", "delete", "edit", "clone"])
def test_a_wider_job_is_refused_with_words_and_a_narrow_one_is_not(client, acme, name):
    wide, narrow = job_of("Wide"), job_of("Narrow", "one_tenant", tenant=acme)
    refused = client.post(reverse(f"jobs:{name}", args=[wide.pk]), {"confirm_name": "Wide"})
    assert refused.status_code == 403
    assert "“Wide” serves tenants beyond" in refused.content.decode()
    assert client.post(reverse(f"jobs:{name}", args=[narrow.pk]), {"confirm_name": "x"}).status_code in {302, 422}


def test_pages_of_wider_ones_say_why_there_are_no_buttons(client, gold):
    wide, narrow = queue_of("Wide"), queue_of("Narrow", "tenant_groups", [gold])
    job = job_of("Job")
    for url in (reverse("queues:queue", args=[wide.pk]), reverse("jobs:latest_run", args=[job.pk])):
        text = client.get(url).content.decode()
        assert "serves tenants beyond the groups" in text
        assert "Pause" not in text
    assert "Pause" in client.get(reverse("queues:queue", args=[narrow.pk])).content.decode()
    listed = client.get(reverse("queues:queues")).content.decode()
    assert reverse("queues:edit", args=[narrow.pk]) in listed
    assert reverse("queues:edit", args=[wide.pk]) not in listed


def test_bulk_actions_leave_wider_queues_and_jobs_alone_and_say_so(client, acme, gold):
    wide, narrow = queue_of("Wide"), queue_of("Narrow", "tenant_groups", [gold])
    said = client.post(reverse("queues:bulk"), {"action": "disable", "all_matching": "1"}, follow=True)
    assert "1 queue was skipped" in said.content.decode()
    assert list(ProcessingQueue.objects.filter(enabled=False)) == [narrow]
    first, second = job_of("Wide"), job_of("Narrow", "one_tenant", tenant=acme)
    posted = {"action": "disable", "all_matching": "1", "confirmed": "1"}
    said = client.post(reverse("jobs:jobs_bulk"), posted, follow=True)
    assert "1 job was skipped" in said.content.decode()
    assert list(JobDefinition.objects.filter(enabled=False)) == [second]
    assert wide.enabled
    assert first.enabled


def test_no_queue_or_job_of_a_wider_scope_can_be_made_or_saved(client, gina, acme, globex, gold, mixed):
    form = {"name": "New", "enabled": "on", "scope": "global", "record_type": "call", "events": ["call.created"]}
    for changes in (
        {},
        {"scope": "one_tenant", "tenant": str(globex.pk)},
        {"scope": "tenant_groups", "tenant_groups": [mixed.pk]},
    ):
        assert client.post(reverse("queues:add"), {**form, **changes}).status_code == 422, changes
    assert client.post(reverse("queues:add"), {**form, "scope": "tenant_groups", "tenant_groups": [gold.pk]}).url
    wide, own = queue_of("Wide"), ProcessingQueue.objects.get(name="New")
    engine = SpeechEngine.objects.create(name="E", engine_type="native_v2", settings={"server_address": "http://x"})
    narrow = {"access_scope": "one_tenant", "tenant": str(acme.pk)}
    for queue, changes in ((own, {}), (wide, narrow)):
        answer = client.post(reverse("jobs:add"), pages.job_form(queue, engine, **changes))
        assert answer.status_code == 422, changes
    assert client.post(reverse("jobs:add"), pages.job_form(own, engine, **narrow)).status_code == 302


def test_what_concerns_all_tenants_needs_the_scope_system(client, client_for, people, gina, system):
    assert not gina.has("pairing.edit")
    assert gina.has("pairing.view")
    for name in ("pairing:edit", "pairing:conflicts_bulk", "workers:bulk"):
        assert client.post(reverse(name), {"action": "stop"}).status_code == 403, name
    root = client_for(people.platform_admin)
    assert root.post(reverse("pairing:conflicts_bulk"), {"action": "nonsense"}).status_code == 400
    form = {"name": "New", "scope": "managed_groups", "granted": ["pairing.edit"], "tenant": str(system.pk)}
    refused = root.post(reverse("accounts:role_add"), form)
    assert refused.status_code == 422
    assert "concerns all tenants, so it needs the access scope “System”" in refused.content.decode()

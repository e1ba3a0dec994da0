"""Which tenants and groups the forms of queues, jobs and engines offer, and that saving takes none away."""

import pytest
from django.urls import reverse, reverse_lazy

from accounts.models import Role, User
from jobs.models import JobDefinition
from queues.models import ProcessingQueue
from tenants.models import Tenant
from tenants.services import create_group
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db

QUEUE = {"name": "Calls", "enabled": "on", "record_type": "call", "events": ["call.recording_finished"], "version": 1}


@pytest.fixture
def queue(db, globex):
    return ProcessingQueue.objects.create(
        name="Calls", events=["call.recording_finished"], scope="one_tenant", tenant=globex
    )


@pytest.fixture
def engine(db, globex):
    return SpeechEngine.objects.create(
        name="Native",
        engine_type="native_v2",
        visibility="one_tenant",
        tenant=globex,
        settings={"server_address": "https://93.184.216.34"},
    )


@pytest.fixture
def job(queue, engine, globex):
    return JobDefinition.objects.create(
        name="Transcribe",
        kind="transcription",
        source_queue=queue,
        settings={"engine": engine.pk},
        access_scope="one_tenant",
        tenant=globex,
    )


@pytest.fixture
def deleted(globex):
    Tenant.objects.filter(pk=globex.pk).update(state="deleted")
    return globex


def offered(client, address: str, name: str = "tenant") -> set[str]:
    field = client.get(address).context["form"].fields[name]
    return {field.label_from_instance(row) for row in field.queryset}


@pytest.mark.parametrize("route", ["queues:add", "jobs:add", "transcription:add"])
def test_a_new_object_is_not_offered_a_deleted_tenant(root, globex, route):
    assert {"Acme (acme)", "Globex (globex)"} <= offered(root, reverse(route))
    Tenant.objects.filter(pk=globex.pk).update(state="deleted")
    left = offered(root, reverse(route))
    assert "Acme (acme)" in left
    assert not {"Globex (globex)", "Globex (globex, deleted)"} & left


@pytest.mark.parametrize("route", ["queues:edit", "jobs:edit", "transcription:engine"])
def test_the_stored_tenant_is_shown_even_when_it_is_deleted(root, queue, job, engine, deleted, route):
    pk = {"queues:edit": queue, "jobs:edit": job, "transcription:engine": engine}[route].pk
    assert "Globex (globex, deleted)" in offered(root, reverse(route, args=[pk]))


def test_saving_keeps_the_deleted_tenant_and_no_other_object_gets_it(root, queue, deleted):
    same = {**QUEUE, "scope": "one_tenant", "tenant": str(deleted.pk)}
    assert root.post(reverse("queues:edit", args=[queue.pk]), {**same, "enabled": ""}).status_code == 302
    queue.refresh_from_db()
    assert (queue.tenant_id, queue.enabled) == (deleted.pk, False)
    refused = root.post(reverse("queues:add"), {**same, "name": "Second"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["tenant"])


def test_an_engine_of_a_deleted_tenant_is_refused_with_the_reason(root, engine, deleted):
    values = {
        "engine_type": "native_v2",
        "name": "Native",
        "visibility": "one_tenant",
        "tenant": str(deleted.pk),
        "server_address": "https://93.184.216.34",
        "version": 1,
    }
    answer = root.post(reverse("transcription:engine", args=[engine.pk]), values)
    assert answer.status_code == 422
    assert "The tenant is deleted" in answer.content.decode()


def test_groups_that_the_editor_does_not_manage_are_not_offered_and_a_queue_of_theirs_is_not_opened(
    client_for, second_admin, system, queue, acme
):
    gold, silver, lead = (create_group(name=name, tenants=[acme], actor="test", audit_tenant=system) for name in "GSL")
    role = Role.objects.create(
        tenant=system, name="Q", platform=True, scope="managed_groups", granted=["queues.view", "queues.edit"]
    )
    User.objects.filter(pk=second_admin.pk).update(role=role)
    second_admin.managed_tenant_groups.set([gold])
    queue.tenant_groups.set([gold])
    ProcessingQueue.objects.filter(pk=queue.pk).update(scope="tenant_groups", tenant=None)
    client, address = client_for(User.objects.get(pk=second_admin.pk)), reverse("queues:edit", args=[queue.pk])
    assert offered(client, address, "tenant_groups") == {"G"}
    values = {**QUEUE, "scope": "tenant_groups"}
    assert client.post(address, {**values, "tenant_groups": [lead.pk]}).status_code == 422
    assert client.post(address, {**values, "tenant_groups": [gold.pk]}).status_code == 302
    assert set(queue.tenant_groups.all()) == {gold}
    queue.tenant_groups.add(silver)
    assert client.get(address).status_code == 403
    assert client.post(address, {**values, "tenant_groups": [gold.pk], "version": 2}).status_code == 403
    assert set(queue.tenant_groups.all()) == {gold, silver}


@pytest.mark.parametrize(
    "address",
    [
        reverse_lazy("queues:add"),
        reverse_lazy("tenants:group_add"),
        reverse_lazy("accounts:role_add"),
        reverse_lazy("audit:trail"),
        reverse_lazy("licensing:users"),
        reverse_lazy("accounts:roles"),
    ],
)
def test_two_tenants_of_the_same_name_are_told_apart_in_every_choice(root, acme, globex, address):
    Tenant.objects.filter(pk=globex.pk).update(name="ACME")
    page = root.get(str(address)).content.decode()
    assert "Acme (acme)" in page
    assert "ACME (globex)" in page

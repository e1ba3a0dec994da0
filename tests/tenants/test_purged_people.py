"""With a tenant's data everything that names its people goes, and nothing of another tenant."""

import uuid

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from accounts.people import set_enabled, set_role
from accounts.security_models import LinkedIdentity, RecoveryCode, SecondFactor, TenantSignIn, UserSession
from accounts.services import create_user
from core.errors import Conflict
from jobs.models import Cleanup, JobDefinition, LogEntry, Record, RecordEvent
from licensing.models import Bundle, UserLicence
from licensing.services import grant, set_licence
from queues.models import ProcessingQueue, QueueItem
from tenants.checks import check_registries
from tenants.models import DeletionRequest, Tenant, TenantGroup
from tenants.provisioning import provision
from tenants.purging import purge
from tenants.services import create_tenant
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SPEECH = Bundle.SPEECH_ANALYTICS
USERS = "/administration/user-management/users/"


@pytest.fixture
def initech(db):
    """A tenant with two people."""
    tenant = create_tenant(slug="initech", name="Initech", actor="test")
    provision(tenant.pk)
    for name, role in (("bill", "tenant_admin"), ("milton", "agent")):
        create_user(
            tenant=tenant,
            username=name,
            password=PASSWORD,
            role=role,
            full_name=f"{name.title()} Waddams",
            email=f"{name}@initech.example",
            group="Basement",
            actor="test",
        )
    return Tenant.objects.get(pk=tenant.pk)


@pytest.fixture
def job(db):
    """A job of everybody."""
    queue = ProcessingQueue.objects.create(name="Calls", events=["call.recording_finished"])
    return JobDefinition.objects.create(
        name="Transcribe", kind="transcription", source_queue=queue, settings={"engine": 1}
    )


def furnish(user: User, client, job: JobDefinition) -> None:
    """Give ``user`` and his tenant one of everything that is kept in public tables."""
    now = timezone.now()
    client(user).get("/")
    UserSession.objects.create(
        user=user, session_key=client(user).session.session_key, address="192.0.2.1", seen_at=now, ends_at=now
    )
    SecondFactor.objects.create(user=user, kind="totp", name="Phone", secret=b"x", confirmed_at=now)
    RecoveryCode.objects.create(user=user, digest="0" * 64)
    LinkedIdentity.objects.create(user=user, tenant=user.tenant, issuer="https://id.example", subject=user.username)
    TenantSignIn.objects.create(tenant=user.tenant, oidc_client_secret=b"secret")
    user.managed_tenant_groups.add(TenantGroup.objects.get_or_create(name="Gold")[0])
    grant(user=user, bundle=SPEECH, actor="test")
    item = {"tenant": user.tenant, "record_type": "call"}
    QueueItem.objects.create(queue=job.source_queue, event="call.created", published_at=now, refreshed_at=now, **item)
    for fields in ({"state": "failed", "stage": "done"}, {"stage": "checking", "remote": {"id": "tr_1", "engine": 1}}):
        record = Record.objects.create(
            job=job, record_id=uuid.uuid4(), next_at=now, created_at=now, last_error=user.username, **item, **fields
        )
        RecordEvent.objects.create(record=record, generation=1, at=now, step="uploaded", detail=user.username)
        LogEntry.objects.create(
            job=job, record=record, tenant_id=user.tenant_id, at=now, severity="error", message=user.username
        )


def left_of(tenant: Tenant) -> list[int]:
    """How many rows of each kind there are."""
    sessions = UserSession.objects.filter(user__tenant=tenant)
    return [
        rows.count()
        for rows in (
            sessions,
            Session.objects.filter(session_key__in=sessions.values("session_key")),
            SecondFactor.objects.filter(user__tenant=tenant),
            RecoveryCode.objects.filter(user__tenant=tenant),
            LinkedIdentity.objects.filter(tenant=tenant),
            TenantSignIn.objects.filter(tenant=tenant),
            User.managed_tenant_groups.through.objects.filter(user__tenant=tenant),
            UserLicence.objects.filter(user__tenant=tenant),
            QueueItem.objects.filter(tenant=tenant),
            Record.objects.filter(tenant=tenant),
            RecordEvent.objects.filter(record__tenant=tenant),
            LogEntry.objects.filter(tenant_id=tenant.pk),
        )
    ]


def delete_data(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(state="closed")
    DeletionRequest.objects.create(
        tenant=tenant, reason="x", requested_by_id=uuid.uuid4(), requested_by="root", confirmed_at=timezone.now()
    )
    assert purge(tenant.pk) is True


def test_nothing_that_names_people_or_lets_them_in_outlives_the_tenant(client_for, people, initech, globex, job):
    bill = User.objects.get(username="bill")
    ids = set(initech.users.values_list("pk", flat=True))
    furnish(bill, client_for, job)
    furnish(people.stranger, client_for, job)
    before = left_of(globex)
    assert 0 not in before
    assert left_of(initech) == before
    sessions = list(UserSession.objects.filter(user=bill).values_list("session_key", flat=True))
    delete_data(initech)
    assert left_of(initech) == [0] * len(before)
    assert left_of(globex) == before
    assert not Session.objects.filter(session_key__in=sessions).exists()
    assert not RecordEvent.objects.filter(detail="bill").exists()
    users = User.objects.filter(tenant=initech)
    assert set(users.values_list("pk", flat=True)) == ids
    assert {user.username for user in users} == {"deleted:1", "deleted:2"}
    for user in users:
        kept = (user.full_name, user.email, user.group, user.is_active, user.has_usable_password())
        assert kept == ("", "", "", False, False)
        assert user.username == user.username_key
    people.stranger.refresh_from_db()
    assert (people.stranger.full_name, people.stranger.is_active) == ("Stan", True)
    # What lies at the provider is still deleted there.
    assert Cleanup.objects.get(tenant_id=initech.pk).remote == {"id": "tr_1", "engine": 1}


def test_a_sweep_that_fails_is_repeated_and_the_people_are_gone_already(initech, settings, job, client_for):
    furnish(User.objects.get(username="bill"), client_for, job)
    good = settings.TENANT_SWEEPS
    settings.TENANT_SWEEPS = {"records": "jobs.upkeep.purging.no_such_function"}
    with pytest.raises(ImportError):
        delete_data(initech)
    assert [problem.id for problem in check_registries(None)] == ["tenants.E001"]
    assert not User.objects.filter(username="bill").exists()
    assert Record.objects.filter(tenant=initech).exists()
    settings.TENANT_SWEEPS = good
    assert check_registries(None) == []
    assert purge(initech.pk) is True
    assert not Record.objects.filter(tenant=initech).exists()


def test_users_of_a_deleted_tenant_are_listed_only_when_it_is_asked_for(root, initech):
    assert "bill" in root.get(USERS).content.decode()
    delete_data(initech)
    assert "deleted:1" not in root.get(USERS).content.decode()
    assert "deleted:1" in root.get(USERS, {"tenant": str(initech.pk)}).content.decode()


def test_nothing_of_many_users_can_be_changed_in_a_deleted_tenant(root, people, initech):
    delete_data(initech)
    users, editor = User.objects.filter(tenant=initech), people.platform_admin
    supervisor = Role.objects.get(key="supervisor")
    for change in (
        lambda: set_enabled(users=users, enabled=True, editor=editor),
        lambda: set_role(users=users, role=supervisor, editor=editor),
        lambda: set_licence(users=users, bundle=SPEECH, held=True, editor=editor),
    ):
        with pytest.raises(Conflict, match="Initech"):
            change()
    address = f"{reverse('licensing:users_bulk')}?tenant={initech.pk}"
    answer = root.post(address, {"action": "enable", "confirmed": "1"}, follow=True)
    assert "“Initech” is deleted and cannot be changed" in answer.content.decode()
    assert not users.filter(is_active=True).exists()
    assert not UserLicence.objects.filter(user__in=users).exists()

"""Deleting a closed tenant's data: two people, then schema, key and files are gone for good."""

import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEntry
from conversations.audio import AudioUnavailable, open_reader, storage_key
from core.crypto import DecryptionFailed
from core.files import save_encrypted
from tenants.keys import data_key
from tenants.models import DeletionRequest, Tenant
from tenants.provisioning import provision
from tenants.purging import purge
from tenants.services import create_tenant
from tenants.tasks import resume_purging

pytestmark = pytest.mark.django_db


@pytest.fixture
def media(settings, tmp_path):
    """A file store of this test's own."""
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media")},
        },
    }
    return tmp_path / "media"


@pytest.fixture
def initech(db):
    """A closed tenant."""
    tenant = create_tenant(slug="initech", name="Initech", actor="test", contact={"contact_name": "Bill"})
    provision(tenant.pk)
    Tenant.objects.filter(pk=tenant.pk).update(state="closed")
    return Tenant.objects.get(pk=tenant.pk)


def has_schema(tenant: Tenant) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [tenant.schema_name])
        return cursor.fetchone()[0]


def actions(tenant: Tenant) -> list[str]:
    entries = AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("position")
    return [entry.action.removeprefix("tenant.") for entry in entries][2:]


@pytest.fixture
def requested(root, page, initech):
    """The platform admin has asked."""
    assert root.post(page("deletion", initech), {"reason": "Contract ended"}).status_code == 302
    return DeletionRequest.objects.get(tenant=initech)


def test_the_second_person_confirms_and_everything_is_destroyed(
    requested, client_for, second_admin, page, initech, media
):
    audio = storage_key(initech.pk, initech.pk)
    key = data_key(initech)
    save_encrypted(default_storage, audio, io.BytesIO(b"voice"), data_key=key, context=initech.pk.bytes)
    open_reader(audio, key).close()
    confirm = page("deletion_confirm", initech)
    second = client_for(second_admin)
    assert second.post(confirm, {"confirm_name": "initech"}).status_code == 422
    assert second.post(confirm, {"confirm_name": "Initech"}).status_code == 302
    assert has_schema(initech)
    assert purge(initech.pk) is True
    assert not has_schema(initech)
    gone = Tenant.objects.get(pk=initech.pk)
    assert (gone.state, bytes(gone.wrapped_data_key), gone.contact_name) == ("deleted", b"", "")
    assert (gone.slug, gone.name) == ("initech", "Initech")
    with pytest.raises(DecryptionFailed):
        data_key(gone)
    with pytest.raises(AudioUnavailable):
        open_reader(audio, key)
    assert not list(media.rglob("*.bin"))
    assert purge(initech.pk) is False
    assert actions(initech) == [
        "deletion_requested",
        "deletion_confirmed",
        "deleted",
        "files_deleted",
    ]
    assert "All data are deleted" in second.get(page("tenant", initech)).content.decode()


def test_who_asked_cannot_confirm_while_there_is_somebody_else(requested, root, page, initech, second_admin):
    DeletionRequest.objects.update(requested_at=timezone.now() - timedelta(days=30))
    assert "Ask another administrator" in root.get(page("deletion", initech)).content.decode()
    refused = root.post(page("deletion_confirm", initech), {"confirm_name": "Initech"})
    assert refused.status_code == 409
    assert DeletionRequest.objects.get().confirmed_at is None
    assert purge(initech.pk) is False
    assert has_schema(initech)


def test_the_only_administrator_may_confirm_alone_after_seven_days(requested, root, page, initech):
    assert User.objects.filter(tenant__is_system=True).count() == 1
    confirm = page("deletion_confirm", initech)
    early = root.post(confirm, {"confirm_name": "Initech"})
    assert early.status_code == 409
    assert "seven days" in early.content.decode()
    DeletionRequest.objects.update(requested_at=timezone.now() - timedelta(days=7))
    assert root.post(confirm, {"confirm_name": "Initech"}).status_code == 302


def test_a_request_is_taken_back_until_it_is_confirmed(requested, root, client_for, second_admin, page, initech):
    assert root.post(page("deletion_cancel", initech)).status_code == 302
    assert not DeletionRequest.objects.exists()
    root.post(page("deletion", initech), {"reason": "Once more"})
    client_for(second_admin).post(page("deletion_confirm", initech), {"confirm_name": "Initech"})
    root.post(page("deletion_cancel", initech))
    assert DeletionRequest.objects.get().confirmed_at is not None
    assert actions(initech) == [
        "deletion_requested",
        "deletion_cancelled",
        "deletion_requested",
        "deletion_confirmed",
    ]


@pytest.mark.parametrize("state", ["ready", "suspended", "new", "deleted"])
def test_only_the_data_of_a_closed_tenant_can_be_deleted(root, page, initech, state):
    Tenant.objects.filter(pk=initech.pk).update(state=state)
    answer = root.post(page("deletion", initech), {"reason": "x"})
    assert answer.status_code == 409
    assert not DeletionRequest.objects.exists()


def test_a_request_needs_a_reason_and_is_made_once(requested, root, page, initech):
    assert root.post(page("deletion", initech), {"reason": "again"}).status_code == 409
    assert root.post(page("deletion", initech), {"reason": " "}).status_code == 422
    assert DeletionRequest.objects.get().reason == "Contract ended"


def test_without_the_right_to_delete_nobody_asks_or_confirms(requested, client_for, people, page, initech):
    client = client_for(people.tenant_admin)
    for name in ("deletion", "deletion_confirm", "deletion_cancel"):
        assert client.post(page(name, initech), {"confirm_name": "Initech"}).status_code == 403
    assert DeletionRequest.objects.get().confirmed_at is None


def test_files_that_cannot_be_deleted_are_tried_again_and_the_key_is_gone_already(
    requested, initech, media, settings, caplog
):
    DeletionRequest.objects.update(confirmed_at=timezone.now(), confirmed_by="rita@system")
    folder = media / "audio" / str(initech.pk)
    (folder / "stray.bin" / "inside").mkdir(parents=True)
    good = settings.TENANT_FOLDERS
    settings.TENANT_FOLDERS = ["conversations.audio.no_such_function"]
    resume_purging()
    assert str(initech.pk) in caplog.text
    gone = Tenant.objects.get(pk=initech.pk)
    assert (gone.state, bytes(gone.wrapped_data_key)) == ("deleted", b"")
    assert DeletionRequest.objects.get().files_deleted_at is None
    settings.TENANT_FOLDERS = good
    resume_purging()
    assert DeletionRequest.objects.get().files_deleted_at is not None
    assert not folder.exists()


def test_a_deleted_tenants_schema_does_not_come_back_with_the_next_migration(requested, initech, media):
    DeletionRequest.objects.update(confirmed_at=timezone.now())
    purge(initech.pk)
    call_command("migrate_all", verbosity=0)
    assert not has_schema(initech)


def test_nothing_of_a_deleted_tenant_can_be_changed(requested, root, page, initech, media):
    DeletionRequest.objects.update(confirmed_at=timezone.now())
    purge(initech.pk)
    form = {"name": "Back", "time_zone": "UTC", "language": "en-gb", "version": 1}
    assert root.post(page("tenant", initech), form).status_code == 409
    assert root.get(page("tenant", initech)).status_code == 200
    for name in ("suspend", "resume", "close"):
        assert root.post(page(name, initech), {"confirm_name": "Initech"}).status_code == 409

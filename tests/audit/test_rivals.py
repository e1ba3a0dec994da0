"""The second of two people who save the same object is told who changed what and when."""

import re

import pytest
from django.urls import reverse

from accounts.oidc.services import save_setting
from audit.models import AuditEntry
from core.errors import Conflict
from tenants.models import TenantGroup
from tenants.services import create_group
from transcription.models import SpeechEngine

pytestmark = pytest.mark.django_db
WHEN = r"\(20\d\d-\d\d-\d\d \d\d:\d\d\)"
ENGINE = {
    "engine_type": "native_v2",
    "name": "Speech",
    "enabled": "on",
    "visibility": "global",
    "server_address": "https://93.184.216.34:8443",
    "ssl_verify": "on",
    "request_timeout_s": "60",
    "concurrency": "4",
    "version": "1",
}
TOKEN = "s3cret-token-that-nobody-sees"


@pytest.fixture
def root(client_for, people):
    return client_for(people.platform_admin)


@pytest.mark.parametrize("button", ["save", "save_and_test"])
def test_of_an_engine_its_fields_are_told_and_never_a_secret(root, button):
    engine = SpeechEngine.objects.create(
        name="Native", engine_type="native_v2", settings={"server_address": "https://93.184.216.34"}
    )
    address = reverse("transcription:engine", args=[engine.pk])
    first = root.post(address, {**ENGINE, "token": TOKEN, "action": button})
    assert first.status_code == 302
    second = root.post(address, {**ENGINE, "name": "Mine"})
    assert second.status_code == 409
    (told,) = second.context["form"].non_field_errors()
    assert re.search(rf"by root@system {WHEN}: .*Server address, .*OAuth Bearer token", told), told
    assert TOKEN not in str(list(AuditEntry.objects.values_list("details", "before", "after")))
    engine.refresh_from_db()
    assert engine.name == "Speech"


def test_of_a_tenant_group_the_new_name_and_members_are_told(root, system, acme, globex):
    group = create_group(name="Gold", tenants=[acme], actor="test", audit_tenant=system)
    address = reverse("tenants:group", args=[group.pk])
    assert root.post(address, {"name": "Gold Plus", "tenants": [globex.pk], "version": 1}).status_code == 302
    second = root.post(address, {"name": "Golden", "tenants": [acme.pk], "version": 1})
    assert second.status_code == 409
    (told,) = second.context["form"].non_field_errors()
    assert re.search(rf"by root@system {WHEN}: name: Gold Plus, tenants: globex\.", told), told
    assert TenantGroup.objects.get().name == "Gold Plus"


def test_of_the_sign_in_settings_the_fields_are_told(acme, people):
    values = {
        "require_second_factor": True,
        "oidc_enabled": False,
        "oidc_label": "Sign in with Acme",
        "oidc_issuer": "",
        "oidc_client_id": "",
        "oidc_client_secret": "",
        "oidc_match": "email",
        "oidc_create_users": False,
        "oidc_default_role": None,
        "oidc_second_factor": False,
    }
    save_setting(tenant=acme, values=values, version=0, editor=people.tenant_admin)
    row = AuditEntry.objects.get(action="sign_in.changed")
    assert (row.before["require_second_factor"], row.after["require_second_factor"]) == (False, True)
    with pytest.raises(Conflict, match=rf"by ada@acme {WHEN}: .*second factor"):
        save_setting(tenant=acme, values=values | {"oidc_label": "x"}, version=0, editor=people.tenant_admin)

"""The tab "Offline-task API": what it stores, what it shows, and sessions that are ended from three places."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from accounts.realms import keys
from accounts.realms.models import RealmKey, RealmSession, RealmSetting, TrustedIssuer
from audit.models import AuditEntry
from tests.accounts.signing_in import confirmed

pytestmark = pytest.mark.django_db
FORM = {"version": 0, "enabled": "on", "local_sign_in": "on", "access_seconds": "120", "refresh_seconds": "600"}
ISSUER = {
    "version": 0,
    "enabled": "on",
    "issuer": "https://93.184.216.34/realms/acme",
    "clients": "browser_client\nother\nother",
    "mapping": "realm",
    "user_claim": "preferred_username",
    "role_claim": "realm_access.roles",
    "role_mode": "narrow",
    "roles": "reader=x = Auditor\nworker = agent",
}


@pytest.fixture
def tab(acme) -> str:
    return f"/administration/user-management/tenants/{acme.pk}/offline-tasks/"


def a_session(user) -> RealmSession:
    now = timezone.now()
    ends = now + timedelta(minutes=30)
    return RealmSession.objects.create(
        user=user, client="browser_client", scope="email", refresh_id=uuid.uuid4(), seen_at=now, ends_at=ends
    )


def test_the_setting_is_stored_and_who_is_late_learns_who_was_quicker(tab, acme, people, client_for):
    client = confirmed(client_for(people.tenant_admin))
    assert client.get(tab).status_code == 200
    posted = {
        **FORM,
        "cors_origins": "https://app.example\n\nhttps://app.example\nhttp://localhost:3000",
        "legacy_id": "on",
    }
    assert client.post(tab, posted).status_code == 302
    setting = RealmSetting.objects.get(tenant=acme)
    assert (setting.enabled, setting.access_seconds, setting.refresh_seconds) == (True, 120, 600)
    assert (setting.cors_origins, setting.legacy_id) == (["https://app.example", "http://localhost:3000"], True)
    late = client.post(tab, FORM)
    assert late.status_code == 409
    assert "ada@acme" in late.content.decode()
    entry = AuditEntry.objects.filter(action="realm.changed").latest("pk")
    assert entry.after["cors_origins"] == setting.cors_origins
    page = client.get(tab).content.decode()
    assert "http://localhost:8000/realms/acme" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("access_seconds", "59"),
        ("access_seconds", "3601"),
        ("refresh_seconds", "299"),
        ("refresh_seconds", "1e9"),
        ("cors_origins", "*"),
        ("cors_origins", "https://app.example/"),
        ("cors_origins", "https://APP.example"),
        ("cors_origins", "null"),
        ("cors_origins", "\n".join(f"https://a{number}.example" for number in range(51))),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_at_its_field(tab, people, client_for, field, value):
    client = confirmed(client_for(people.tenant_admin))
    refused = client.post(tab, {**FORM, field: value})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, [field])
    assert not RealmSetting.objects.exists()
    assert client.post(tab, FORM).status_code == 302


def test_the_password_is_asked_again_and_readers_change_nothing(tab, people, client_for, acme):
    stale = confirmed(client_for(people.tenant_admin), minutes_ago=20)
    for answer in (stale.get(tab), stale.post(tab, FORM), stale.post(f"{tab}rotate/"), stale.get(f"{tab}issuers/add/")):
        assert (answer.status_code, answer.headers["Location"].startswith("/profile/confirm/")) == (302, True)
    people.agent.role = Role.objects.get(key="auditor")
    people.agent.save()
    reader = client_for(people.agent)
    page = reader.get(tab)
    assert page.status_code == 200
    assert "Rotate now" not in page.content.decode()
    assert [reader.post(tab, FORM).status_code, reader.post(f"{tab}rotate/").status_code] == [403, 403]
    assert not RealmSetting.objects.exists()


def test_issuers_are_added_shown_changed_and_removed(tab, people, client_for):
    client = confirmed(client_for(people.tenant_admin))
    assert client.post(f"{tab}issuers/add/", ISSUER).status_code == 302
    row = TrustedIssuer.objects.get()
    auditor, agent = Role.objects.get(key="auditor"), Role.objects.get(key="agent")
    assert row.roles == [["reader=x", auditor.pk], ["worker", agent.pk]]
    assert row.clients == ["browser_client", "other"]
    assert ISSUER["issuer"] in client.get(tab).content.decode()
    form = client.get(f"{tab}issuers/{row.pk}/")
    assert "reader=x = Auditor\nworker = Agent" in form.content.decode()
    refused = client.post(f"{tab}issuers/{row.pk}/", {**ISSUER, "version": 1, "roles": "reader = Nobody"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["roles"])
    assert client.post(f"{tab}issuers/{row.pk}/", {**ISSUER, "version": 1, "clients": "one"}).status_code == 302
    row.refresh_from_db()
    assert (row.clients, row.version) == (["one"], 2)
    assert client.post(f"{tab}issuers/{row.pk}/remove/").status_code == 302
    assert not TrustedIssuer.objects.exists()
    actions = (
        AuditEntry.objects.filter(action__startswith="realm.issuer").order_by("pk").values_list("action", flat=True)
    )
    assert list(actions) == ["realm.issuer_added", "realm.issuer_changed", "realm.issuer_removed"]


def test_a_key_is_rotated_by_hand_where_the_tenant_is_ready(tab, acme, people, client_for):
    first = keys.signing_key(acme)[0]
    client = confirmed(client_for(people.tenant_admin))
    assert client.get(f"{tab}rotate/").status_code == 200
    assert client.post(f"{tab}rotate/").status_code == 302
    assert keys.signing_key(acme)[0] != first
    assert RealmKey.objects.filter(tenant=acme).count() == 2
    acme.state = "suspended"
    acme.save()
    root = confirmed(client_for(people.platform_admin))
    assert root.post(f"{tab}rotate/").status_code == 409
    assert RealmKey.objects.filter(tenant=acme).count() == 2


def test_sessions_are_ended_from_the_tab_the_user_and_the_profile(tab, people, client_for):
    client, rows = confirmed(client_for(people.tenant_admin)), [a_session(people.agent) for _number in range(2)]
    mine = a_session(people.tenant_admin)
    user = f"/administration/user-management/users/{people.agent.pk}/"
    addresses = [f"{tab}sessions/{rows[0].pk}/end/", f"{user}api-sessions/{rows[1].pk}/end/"]
    for page, address in (
        (tab, addresses[0]),
        (user, addresses[1]),
        ("/profile/", f"/profile/api-sessions/{mine.pk}/end/"),
    ):
        assert address in client.get(page).content.decode()
        assert client.post(address).status_code == 302
        assert client.post(address).status_code == 404
    assert not RealmSession.objects.filter(ended_at=None).exists()
    ended = AuditEntry.objects.filter(action="realm.session_revoked")
    assert {entry.target_id for entry in ended} == {str(people.agent.pk), str(people.tenant_admin.pk)}
    assert ended.count() == 3


def test_what_is_another_tenants_or_persons_is_not_there(tab, people, client_for, globex):
    client = confirmed(client_for(people.tenant_admin))
    theirs, stranger = (
        a_session(people.stranger),
        TrustedIssuer.objects.create(tenant=globex, issuer="https://x.example"),
    )
    for address in (
        f"{tab}sessions/{theirs.pk}/end/",
        f"{tab}issuers/{stranger.pk}/",
        f"{tab}issuers/{stranger.pk}/remove/",
        f"/administration/user-management/users/{people.agent.pk}/api-sessions/{theirs.pk}/end/",
        f"/profile/api-sessions/{a_session(people.agent).pk}/end/",
        tab.replace(str(people.tenant_admin.tenant_id), str(globex.pk)),
    ):
        assert client.post(address).status_code == 404, address
    assert RealmSession.objects.filter(ended_at=None).count() == 2
    assert Client().get(tab).status_code == 302


def test_how_much_a_tenant_may_store_is_decided_by_staff(tab, acme, people, client_for):
    ada, root = (confirmed(client_for(user)) for user in (people.tenant_admin, people.platform_admin))
    assert ada.post(tab, {**FORM, "storage_megabytes": "5"}).status_code == 302
    assert RealmSetting.objects.get(tenant=acme).storage_megabytes is None
    assert root.post(tab, {**FORM, "version": 1, "storage_megabytes": "5"}).status_code == 302
    assert ada.post(tab, {**FORM, "version": 2, "storage_megabytes": ""}).status_code == 302
    assert RealmSetting.objects.get(tenant=acme).storage_megabytes == 5

"""Rules of tenants: short names, states, and two people who save one form."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput
from tenants.models import AllowedAddress, Tenant
from tenants.services import create_group, create_tenant, edit_group, edit_tenant, set_state
from tests.tenants.test_tenant_pages import scoped

pytestmark = pytest.mark.django_db

READY, SUSPENDED, CLOSED = Tenant.State.READY, Tenant.State.SUSPENDED, Tenant.State.CLOSED
RESERVED = ["system", "master", "public", "admin", "api", "www", "static", "media", "healthz", "readyz", "realms"]
HOSTILE = ["pg_x", "pg_catalog", "t_1", "a';--", "PUBLIC", "Acme", "acme", "a--b", "-a", "a-", "ä", "a b", "", "x" * 41]


@pytest.mark.parametrize("slug", [*RESERVED, *HOSTILE])
def test_a_reserved_hostile_or_taken_short_name_is_refused_at_its_field(acme, slug):
    before = Tenant.objects.count()
    with pytest.raises(InvalidInput) as refused:
        create_tenant(slug=slug, name="N", actor="test")
    assert refused.value.field == "slug"
    assert Tenant.objects.count() == before
    assert create_tenant(slug="tower", name="N", actor="test").pk


@pytest.mark.parametrize("slug", ["gone", "GONE"])
def test_the_short_name_of_a_deleted_tenant_is_not_given_again(db, slug):
    gone = create_tenant(slug="gone", name="Gone", actor="test")
    Tenant.objects.filter(pk=gone.pk).update(state=Tenant.State.DELETED)
    with pytest.raises(InvalidInput, match="used by a deleted tenant"):
        create_tenant(slug=slug, name="N", actor="test")


STATES = list(Tenant.State)
LEGAL = {(READY, SUSPENDED), (SUSPENDED, READY), (SUSPENDED, CLOSED)}


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_only_three_moves_are_legal_and_each_leaves_one_audit_row(acme, old, new):
    Tenant.objects.filter(pk=acme.pk).update(state=old)
    rows = AuditEntry.objects.filter(tenant_id=acme.pk)
    before = rows.count()
    if (old, new) in LEGAL:
        set_state(tenant=acme, old=old, new=new, actor="test")
        assert rows.count() == before + 1
    else:
        with pytest.raises(InvalidInput):
            set_state(tenant=acme, old=old, new=new, actor="test")
        assert rows.count() == before
    acme.refresh_from_db()
    assert acme.state == (new if (old, new) in LEGAL else old)


def test_a_move_from_a_state_that_was_left_meanwhile_is_a_conflict(acme):
    set_state(tenant=acme, old=READY, new=SUSPENDED, actor="test")
    with pytest.raises(Conflict):
        set_state(tenant=acme, old=READY, new=SUSPENDED, actor="test")


@pytest.mark.parametrize("name", ["Ac\nme", "\u202eAcme", "\u200b\u2060"])
def test_names_of_tenants_and_groups_stand_on_one_line_and_can_be_seen(acme, system, name):
    who = {"actor": "test", "audit_tenant": system}
    north = create_group(name="-North", tenants=[], **who)
    attempts = [
        lambda: create_tenant(slug="fresh", name=name, actor="test"),
        lambda: edit_tenant(tenant=acme, version=acme.version, values={"name": name}, actor="test"),
        lambda: create_group(name=name, tenants=[], **who),
        lambda: edit_group(group=north, version=1, name=name, tenants=[], **who),
    ]
    for attempt in attempts:
        with pytest.raises(InvalidInput) as refused:
            attempt()
        assert refused.value.field == "name"
    edit_tenant(tenant=acme, version=acme.version, values={"name": "@cme"}, actor="test")


def form_of(tenant, **changes):
    values = {
        "name": tenant.name,
        "time_zone": tenant.time_zone,
        "language": tenant.language,
        "contact_name": "",
        "contact_email": "",
        "contact_phone": "",
        "version": tenant.version,
    }
    return {**values, **changes}


def test_the_second_of_two_who_save_is_told_who_changed_what_and_loses_nothing(
    client_for, people, second_admin, page, acme
):
    first, second = client_for(people.platform_admin), client_for(second_admin)
    address = page("tenant", acme)
    assert first.post(address, form_of(acme, time_zone="Europe/Berlin")).status_code == 302
    refused = second.post(address, form_of(acme, name="Acme Ltd"))
    assert refused.status_code == 409
    text = refused.content.decode()
    assert "root@system" in text
    assert "time zone" in text
    assert "Acme Ltd" in text
    acme.refresh_from_db()
    assert (acme.name, acme.time_zone) == ("Acme", "Europe/Berlin")
    assert second.post(address, form_of(acme, name="Acme Ltd")).status_code == 302
    acme.refresh_from_db()
    assert acme.name == "Acme Ltd"


def test_a_change_is_audited_with_before_and_after_of_what_changed_alone(acme):
    edit_tenant(tenant=acme, version=acme.version, values={"name": " Acme & Sons ", "language": "he"}, actor="test")
    entry = AuditEntry.objects.filter(tenant_id=acme.pk).latest("position")
    assert (entry.action, entry.before, entry.after) == (
        "tenant.changed",
        {"name": "Acme", "language": "en-gb"},
        {"name": "Acme & Sons", "language": "he"},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 121),
        ("time_zone", "Mars/Olympus"),
        ("language", "tlh"),
        ("contact_email", "nobody"),
        ("contact_phone", "call <me>"),
    ],
)
def test_a_bad_value_is_refused_at_its_field_and_nothing_is_stored(root, page, acme, field, value):
    answer = root.post(page("tenant", acme), form_of(acme, **{"name": "Other", field: value}))
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    acme.refresh_from_db()
    assert (acme.name, acme.version) == ("Acme", 1)


def test_what_is_typed_is_shown_as_text(root, page, acme):
    assert root.post(page("tenant", acme), form_of(acme, name="<script>alert(1)</script>{{7*7}}")).status_code == 302
    for address in (page("tenant", acme), reverse("licensing:tenants"), page("suspend", acme)):
        text = root.get(address).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in text


RETENTION = {"call_days": "", "audio_days": "30", "transcript_days": "", "job_history_days": "60"}


def test_retention_is_stored_and_nothing_outlives_its_call(root, page, acme):
    address = page("retention", acme)
    assert root.post(address, {**RETENTION, "version": acme.version}).status_code == 302
    acme.refresh_from_db()
    assert (acme.call_days, acme.audio_days, acme.job_history_days) == (None, 30, 60)
    longer = root.post(address, {**RETENTION, "call_days": "29", "version": acme.version})
    assert longer.status_code == 422
    assert "longer than the call" in str(longer.context["form"].errors["audio_days"])
    assert "comes later" in root.get(address).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [("call_days", "0"), ("audio_days", "-1"), ("transcript_days", "1.5"), ("call_days", "1e12"), ("call_days", "∞")]
    + [("call_days", value) for value in ("١", "１", "1_000")]
    + [("job_history_days", value) for value in ("0", "3651", "", "x")],
)
def test_retention_takes_whole_days_in_their_range_alone(root, page, acme, field, value):
    answer = root.post(page("retention", acme), {**RETENTION, field: value, "version": acme.version})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    acme.refresh_from_db()
    assert (acme.audio_days, acme.version) == (None, 1)


@pytest.mark.parametrize(("port", "status"), [("8443", 302), ("٨٠", 422), ("8_0", 422)])
def test_a_port_is_typed_in_the_digits_0_to_9(root, port, status):
    answer = root.post(reverse("tenants:allowed_address_add"), {"cidr": "10.1.2.3/32", "port": port, "note": ""})
    assert answer.status_code == status
    assert AllowedAddress.objects.count() == (status == 302)


@pytest.mark.parametrize("name", ["tenant", "retention"])
def test_a_deleted_tenants_settings_are_refused_for_that_reason(root, page, acme, name):
    values = form_of(acme, **RETENTION) if name == "retention" else form_of(acme)
    Tenant.objects.filter(pk=acme.pk).update(state="deleted")
    for typed in (values, {}):
        answer = root.post(page(name, acme), typed)
        assert answer.status_code == 409
        assert "The tenant is deleted and cannot be changed any more." in answer.content.decode()
        assert 'type="submit" class="btn btn-primary"' not in answer.content.decode()


def test_who_lacks_the_right_is_told_that_and_not_the_state(client_for, second_admin, page, acme):
    Tenant.objects.filter(pk=acme.pk).update(state="deleted")
    client = client_for(scoped(second_admin, "system", []))
    assert client.get(page("retention", acme)).status_code == 200
    assert client.post(page("retention", acme), RETENTION).status_code == 403
    assert client.post(page("tenant", acme), form_of(acme)).status_code == 409


@pytest.mark.parametrize("route", ["accounts:tenant_sign_in", "licensing:service_limits", "licensing:licence_limits"])
def test_the_tabs_of_other_apps_refuse_a_deleted_tenant_for_that_reason(root, acme, route):
    Tenant.objects.filter(pk=acme.pk).update(state="deleted")
    answer = root.post(reverse(route, args=[acme.pk]), {"org_month": "1", "version": "1"})
    assert answer.status_code == 409
    assert "The tenant is deleted and cannot be changed any more." in answer.content.decode()


@pytest.mark.parametrize(
    ("name", "state", "says"),
    [
        ("view_as", "deleted", "is deleted"),
        ("view_as", "suspended", "Only a tenant that is ready"),
        ("close", "ready", "in the state “Ready”"),
        ("close", "deleted", "in the state “Deleted”"),
        ("suspend", "closed", "in the state “Closed”"),
        ("resume", "ready", "in the state “Ready”"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(root, page, acme, name, state, says):
    Tenant.objects.filter(pk=acme.pk).update(state=state)
    answer = root.get(page(name, acme))
    text = answer.content.decode()
    assert answer.status_code == 200
    assert says in text
    assert 'name="confirm_name"' not in text
    assert 'name="reason"' not in text
    allowed = {"view_as": "ready", "close": "suspended", "suspend": "ready", "resume": "suspended"}
    Tenant.objects.filter(pk=acme.pk).update(state=allowed[name])
    asked = root.get(page(name, acme))
    assert asked.status_code == 200
    assert says not in asked.content.decode()

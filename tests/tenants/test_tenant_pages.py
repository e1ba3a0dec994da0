"""Pages of tenants and of tenant groups: who sees which, the wizard, the groups."""

import re
import uuid

import pytest
from django.core import signing
from django.urls import reverse

from accounts.models import User
from audit.models import AuditEntry
from core.validation import cleaned
from queues.models import ProcessingQueue
from tenants import services
from tenants.models import Tenant, TenantGroup
from tenants.provisioning import provision
from tenants.services import create_group

pytestmark = pytest.mark.django_db

ADD = "/administration/user-management/tenants/add/"
ONE = {"name": "Initech", "slug": "initech", "time_zone": "Europe/Berlin", "language": "en-gb", "step": "1"}
TWO = {"contact_name": "Bill", "contact_email": "bill@initech.example", "contact_phone": "+49 30 1", "step": "2"}


def state_in(answer) -> str:
    return re.search(r'name="state" value="([^"]*)"', answer.content.decode())[1]


def walk(client, **changes):
    """The first two steps; returns the third page."""
    second = client.post(ADD, {**ONE, **changes})
    assert second.status_code == 200
    return client.post(ADD, {**TWO, **changes, "state": state_in(second)})


def test_the_wizard_stores_nothing_before_its_last_step_and_then_everything(root, system):
    group = create_group(name="Gold", tenants=[], actor="test", audit_tenant=system)
    third = walk(root, groups_of_tenant=[group.pk])
    text = third.content.decode()
    assert all(word in text for word in ("Initech", "initech", "Europe/Berlin", "Bill", "Gold"))
    assert not Tenant.objects.filter(slug="initech").exists()
    made = root.post(ADD, {"step": "3", "state": state_in(third)})
    tenant = Tenant.objects.get(slug="initech")
    assert made["Location"] == reverse("tenants:provisioning", args=[tenant.pk])
    assert (tenant.state, tenant.contact_email, tenant.time_zone) == ("new", "bill@initech.example", "Europe/Berlin")
    assert list(tenant.groups.all()) == [group]
    assert AuditEntry.objects.filter(tenant_id=tenant.pk).count() == 1


def test_the_provisioning_page_polls_until_the_tenant_is_ready(root):
    root.post(ADD, {"step": "3", "state": state_in(walk(root))})
    tenant = Tenant.objects.get(slug="initech")
    address = reverse("tenants:provisioning", args=[tenant.pk])
    waiting = root.get(address)
    assert "hx-get" in waiting.content.decode()
    polled = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "div#provisioning"}
    assert root.get(address, HTTP_IF_NONE_MATCH=waiting["ETag"], **polled).status_code == 204
    provision(tenant.pk)
    changed = root.get(address, HTTP_IF_NONE_MATCH=waiting["ETag"], **polled)
    assert changed.status_code == 200
    assert "hx-get" not in changed.content.decode()
    assert reverse("tenants:tenant", args=[tenant.pk]) in root.get(address).content.decode()


def test_a_wrong_step_is_named_and_back_keeps_what_was_entered(root, acme):
    taken = root.post(ADD, {**ONE, "slug": "acme"})
    assert taken.status_code == 422
    assert "slug" in taken.context["form"].errors
    second = root.post(ADD, ONE)
    wrong = root.post(ADD, {**TWO, "contact_email": "x", "state": state_in(second)})
    assert wrong.status_code == 422
    assert "contact_email" in wrong.context["form"].errors
    long = root.post(
        ADD,
        {
            **TWO,
            "contact_email": f"{'b' * 60}@{'i' * 60}.{'x' * 60}.{'y' * 60}.{'z' * 60}.example",
            "state": state_in(second),
        },
    )
    assert long.status_code == 422
    assert "254" in str(long.context["form"].errors["contact_email"])
    back = root.post(ADD, {"step": "2", "back": "1", "state": state_in(second)})
    assert 'value="initech"' in back.content.decode()


def test_a_name_taken_during_the_wizard_leads_back_to_its_step(root):
    third = walk(root)
    root.post(ADD, {"step": "3", "state": state_in(third)})
    again = root.post(ADD, {"step": "3", "state": state_in(third)})
    assert again.status_code == 422
    assert "slug" in again.context["form"].errors
    assert Tenant.objects.filter(slug="initech").count() == 1


def test_a_second_click_at_the_same_moment_is_a_conflict_that_keeps_what_was_entered(root, monkeypatch):
    third = walk(root)

    def overtaken(model, **rules):
        checked = cleaned(model, **rules)
        Tenant.objects.create(slug="initech", name="First click", wrapped_data_key=b"")
        return checked

    monkeypatch.setattr(services, "cleaned", overtaken)
    answer = root.post(ADD, {"step": "3", "state": state_in(third)})
    assert answer.status_code == 409
    assert "stored at the same moment" in answer.content.decode()
    assert 'value="initech"' in answer.content.decode()
    assert not Tenant.objects.filter(name="Initech").exists()


def test_a_state_that_was_changed_forged_dropped_or_is_somebody_elses_begins_anew(
    root, client_for, people, second_admin
):
    state = state_in(walk(root))
    foreign = state_in(walk(client_for(second_admin)))
    forged = signing.dumps({"name": ["Evil"], "slug": ["evil"]}, salt="tenants.add")
    for bad in (state[:-2] + "xx", "x" + state, "", "{}", forged, foreign, state.replace(":", "", 1)):
        answer = root.post(ADD, {"step": "3", "state": bad})
        assert answer.status_code == 422, bad
        assert "begin again" in answer.content.decode()
    assert not Tenant.objects.filter(slug__in=["initech", "evil"]).exists()
    assert root.post(ADD, {"step": "3", "state": state}).status_code == 302


ROUTES = [
    "tenant",
    "retention",
    "provisioning",
    "suspend",
    "resume",
    "close",
    "deletion",
    "deletion_confirm",
    "view_as",
]


def test_an_unknown_tenant_is_the_same_404_on_every_page(root, page):
    unknown = Tenant(pk=uuid.uuid4())
    for name in ROUTES:
        assert root.get(page(name, unknown)).status_code == 404, name
        assert root.post(page(name, unknown), {}).status_code == 404, name


def test_a_tenant_admin_sees_the_own_retention_and_a_foreign_one_like_an_unknown_one(
    client_for, people, page, acme, globex
):
    client = client_for(people.tenant_admin)
    assert client.get(page("retention", acme)).status_code == 200
    assert client.get(page("retention", globex)).status_code == 404
    assert client.post(page("retention", globex), {}).status_code == 404
    assert client.get(reverse("tenants:retention", args=[uuid.uuid4()])).status_code == 404
    for name in [name for name in ROUTES if name != "retention"]:
        assert client.get(page(name, acme)).status_code == 403, name


def test_only_those_with_the_right_see_pages_and_post(client_for, people, page, acme):
    for who in (people.agent, people.supervisor):
        client = client_for(who)
        for name in ROUTES:
            assert client.get(page(name, acme)).status_code == 403, name
        assert client.get(reverse("tenants:groups")).status_code == 403
        assert client.post(ADD, ONE).status_code == 403


def scoped(person: User, scope: str, groups: list[TenantGroup]) -> User:
    """The platform admin with a role of this scope."""
    from accounts.models import Role

    role = Role.objects.create(
        tenant=person.tenant,
        name=f"Scoped {scope}",
        platform=True,
        scope=scope,
        granted=["tenants.view", "tenants.edit", "tenants.view_as", "retention.view"],
    )
    User.objects.filter(pk=person.pk).update(role=role)
    person.managed_tenant_groups.set(groups)
    return User.objects.get(pk=person.pk)


def test_staff_of_managed_groups_see_the_tenants_of_these_groups_alone(
    client_for, second_admin, system, page, acme, globex
):
    gold = create_group(name="Gold", tenants=[acme], actor="test", audit_tenant=system)
    silver = create_group(name="Silver", tenants=[acme, globex], actor="test", audit_tenant=system)
    client = client_for(scoped(second_admin, "managed_groups", [gold]))
    assert client.get(page("tenant", acme)).status_code == 200
    assert client.get(page("tenant", globex)).status_code == 404
    listed = client.get(reverse("licensing:tenants")).content.decode()
    assert "Acme" in listed
    assert "Globex" not in listed
    offered = client.get(reverse("licensing:tenants")).context["filter"].form.fields["group"].queryset
    assert list(offered) == [gold]
    # Groups decide how far one sees: nobody widens that himself, and what he cannot see stays as it is.
    assert client.get(reverse("tenants:group", args=[gold.pk])).status_code == 403
    assert client.post(reverse("tenants:group_add"), {"name": "Mine", "tenants": [globex.pk]}).status_code == 403
    values = {
        "name": "Acme",
        "time_zone": "UTC",
        "language": "en-gb",
        "version": Tenant.objects.get(pk=acme.pk).version,
    }
    refused = client.post(page("tenant", acme), {**values, "groups_of_tenant": [silver.pk]})
    assert refused.status_code == 422
    assert client.post(page("tenant", acme), {**values, "groups_of_tenant": [gold.pk]}).status_code == 302
    assert {group.name for group in acme.groups.all()} == {"Gold", "Silver"}


def test_staff_of_managed_groups_put_a_new_tenant_into_one_of_their_groups(client_for, second_admin, system):
    gold = create_group(name="Gold", tenants=[], actor="test", audit_tenant=system)
    client = client_for(scoped(second_admin, "managed_groups", [gold]))
    second = client.post(ADD, ONE)
    assert client.post(ADD, {**TWO, "state": state_in(second)}).status_code == 422
    assert client.post(ADD, {**TWO, "groups_of_tenant": [gold.pk], "state": state_in(second)}).status_code == 200


def test_a_scope_of_one_user_sees_the_own_tenant_alone(client_for, second_admin, page, system, acme):
    client = client_for(scoped(second_admin, "user", []))
    assert client.get(page("tenant", acme)).status_code == 404
    assert client.get(page("tenant", system)).status_code == 200


def test_the_actions_of_a_tenant_follow_its_state_and_right(root, page, acme, system):
    def offered(tenant):
        return [action["label"] for action in root.get(page("tenant", tenant)).context["tenant_actions"]]

    assert offered(acme) == ["View as tenant", "Suspend"]
    assert offered(system) == []
    assert root.post(page("suspend", acme)).status_code == 302
    assert offered(acme) == ["Resume", "Close"]
    assert root.post(page("suspend", acme)).status_code == 409
    assert root.post(page("close", acme), {"confirm_name": "acme"}).status_code == 422
    assert root.post(page("close", acme), {"confirm_name": "Acme"}).status_code == 302
    assert offered(acme) == ["Delete data"]
    assert root.post(page("resume", acme)).status_code == 409
    acme.refresh_from_db()
    assert acme.state == "closed"
    assert root.post(page("suspend", system)).status_code == 409


def test_people_of_a_suspended_tenant_are_out_at_their_next_request_and_back_after_it_is_resumed(
    root, client_for, people, page, acme
):
    theirs = client_for(people.agent)
    assert theirs.get("/").status_code == 200
    root.post(page("suspend", acme))
    assert theirs.get("/")["Location"].startswith("/sign-in/")
    root.post(page("resume", acme))
    assert client_for(people.agent).get("/").status_code == 200


def test_tabs_whose_page_is_missing_or_forbidden_are_left_out(root, client_for, people, page, acme):
    labels = [tab["label"] for tab in root.get(page("tenant", acme)).context["tenant_tabs"]]
    assert labels[0] == "General"
    assert "Retention" in labels
    own = client_for(people.tenant_admin).get(page("retention", acme))
    assert "General" not in [tab["label"] for tab in own.context["tenant_tabs"]]


def test_the_list_hides_deleted_tenants_until_they_are_asked_for(root, globex):
    from tenants.filters import TenantFilter

    Tenant.objects.filter(pk=globex.pk).update(state="deleted")
    shown = {row.slug for row in TenantFilter({}, queryset=Tenant.objects.all()).qs}
    assert "acme" in shown
    assert "globex" not in shown
    assert [row.slug for row in TenantFilter({"state": "deleted"}, queryset=Tenant.objects.all()).qs] == ["globex"]


def test_a_group_is_added_changed_and_deleted_with_one_audit_row_each(root, acme, globex):
    root.post(reverse("tenants:group_add"), {"name": "Gold", "tenants": [acme.pk]})
    group = TenantGroup.objects.get()
    assert "Gold" in root.get(reverse("tenants:groups")).content.decode()
    address = reverse("tenants:group", args=[group.pk])
    same_version = {"name": "Gold", "tenants": [globex.pk], "version": group.version}
    assert root.post(address, same_version).status_code == 302
    assert list(group.tenants.all()) == [globex]
    assert root.post(address, same_version).status_code == 409
    assert root.post(reverse("tenants:group_add"), {"name": "gold "}).status_code == 422
    assert root.post(reverse("tenants:group_delete", args=[group.pk])).status_code == 302
    assert not TenantGroup.objects.exists()
    actions = AuditEntry.objects.filter(target_type="tenant_group").values_list("action", flat=True)
    assert list(actions.order_by("position")) == [f"tenant_group.{verb}" for verb in ("created", "changed", "deleted")]
    assert root.get(address).status_code == 404


def test_a_group_that_a_queue_or_a_person_uses_stays(root, second_admin, system, acme):
    group = create_group(name="Gold", tenants=[acme], actor="test", audit_tenant=system)
    address = reverse("tenants:group_delete", args=[group.pk])
    queue = ProcessingQueue.objects.create(name="Q", scope="tenant_groups", record_type="call", events=[])
    queue.tenant_groups.add(group)
    second_admin.managed_tenant_groups.add(group)
    refused = root.post(address)
    assert refused.status_code == 409
    assert "1 × processing queues" in refused.content.decode()
    assert "1 × users" in refused.content.decode()
    queue.tenant_groups.clear()
    second_admin.managed_tenant_groups.clear()
    assert root.post(address).status_code == 302

"""Roles: who may give which right to whom, and the pages of the grid (domain L10–L14, hostile 3F9)."""

import re
import threading

import pytest
from django.db import connection, transaction
from django.urls import reverse

from accounts.models import Role, User
from accounts.permissions import GRID, TENANT_CODES, AccessScope, DefaultRole
from accounts.roles.grid import applied
from accounts.roles.selectors import administrators, visible_roles
from accounts.roles.services import clone_role, delete_role, demand_admin, demand_grantable, save_role
from accounts.security_models import TenantSignIn
from accounts.services import create_user
from audit.models import AuditEntry
from core.errors import Conflict, InvalidInput, NotAllowed
from tenants.models import Tenant
from tests.conftest import PASSWORD

LIST = "/administration/user-management/roles/"


def built_in(key: str) -> Role:
    return Role.objects.get(key=key)


def make_role(tenant, editor, **changes) -> Role:
    values = {"name": "Team lead", "scope": "managed_groups", "codes": ["home.view", "calls.others.view"], **changes}
    return save_role(role=None, tenant=tenant, editor=editor, **values)


def make_user(tenant, role, name: str) -> User:
    return create_user(tenant=tenant, username=name, password=PASSWORD, role=role, actor="test")


@pytest.fixture
def ada(people):
    return people.tenant_admin


@pytest.fixture
def lead(acme, ada):
    return make_role(acme, ada)


@pytest.fixture
def page(lead):
    return reverse("accounts:role", args=[lead.pk])


# --- Rules ------------------------------------------------------------------------------------------------------------


def test_nobody_puts_a_right_into_a_role_that_he_lacks_but_one_that_is_there_may_stay(acme, ada, people, lead):
    with pytest.raises(NotAllowed, match="confidential"):
        make_role(acme, ada, name="Spy", codes=["calls.confidential.view"])
    both = ["home.view", "calls.confidential.view"]
    root = people.platform_admin
    save_role(role=lead, tenant=acme, name="Team lead", scope="user", codes=both, editor=root, version=1)
    lead.refresh_from_db()
    kept = save_role(role=lead, tenant=acme, name="Renamed", scope="user", codes=both, editor=ada, version=2)
    assert kept.permissions == frozenset(both)


def test_a_role_reaches_no_further_than_its_editor(acme, ada, people):
    editor_role = make_role(acme, ada, name="Editor", scope="managed_groups", codes=["roles.edit", "home.view"])
    editor = make_user(acme, editor_role, "eve")
    assert make_role(acme, editor, name="Narrow", scope="user", codes=["home.view"]).reach == AccessScope.USER
    with pytest.raises(NotAllowed, match="narrower"):
        make_role(acme, editor, name="Wide", scope="system", codes=["home.view"])
    wide = make_role(acme, ada, name="Wide", scope="system", codes=["home.view"])
    renamed = save_role(role=wide, tenant=acme, name="W", scope="system", codes=["home.view"], editor=editor)
    assert renamed.reach == AccessScope.SYSTEM


def test_a_tenants_role_never_holds_a_right_of_the_platform(acme, ada, people, system):
    with pytest.raises(NotAllowed):
        make_role(acme, ada, codes=["engines.edit"])
    with pytest.raises(InvalidInput) as refused:
        make_role(acme, people.platform_admin, codes=["engines.edit"])
    assert refused.value.field == "granted"
    made = make_role(system, people.platform_admin, name="Operator", codes=["queues.edit"])
    assert made.platform
    assert made.permissions == {"queues.edit"}


@pytest.mark.parametrize("code", ["engines.edit", "allowed_addresses.edit", "pairing.edit"])
def test_what_concerns_all_tenants_needs_the_scope_system(people, system, code):
    with pytest.raises(InvalidInput, match="concerns all tenants"):
        make_role(system, people.platform_admin, name="East", scope="managed_groups", codes=[code])
    made = make_role(system, people.platform_admin, name="All", scope="system", codes=[code])
    assert made.permissions == {code}
    made.scope = "managed_groups"
    assert made.permissions == frozenset()


@pytest.mark.parametrize("codes", [["nonsense.view"], ["a" * 500], [""]])
def test_an_unknown_right_is_refused(acme, ada, codes):
    with pytest.raises(InvalidInput):
        make_role(acme, ada, codes=codes)


def test_nobody_edits_his_own_role_or_a_built_in_one_or_one_of_another_tenant(acme, globex, ada, people):
    own = make_role(acme, ada, name="Own", codes=sorted(ada.rights), scope="system")
    eve = make_user(acme, own, "eve")
    foreign = make_role(globex, people.stranger)
    for role, editor in [(own, eve), (built_in("agent"), ada), (foreign, ada)]:
        with pytest.raises(NotAllowed):
            save_role(role=role, tenant=role.tenant or acme, name="X", scope="user", codes=[], editor=editor)
        with pytest.raises(NotAllowed):
            delete_role(role=role, editor=editor)
    with pytest.raises(NotAllowed):
        make_role(globex, ada)
    assert save_role(role=own, tenant=acme, name="X", scope="system", codes=own.granted, editor=ada).name == "X"


def test_a_role_that_single_sign_on_gives_is_not_deleted(acme, ada, lead):
    setting = TenantSignIn.objects.create(tenant=acme, oidc_default_role=lead)
    with pytest.raises(Conflict, match="single sign-on"):
        delete_role(role=lead, editor=ada)
    setting.delete()
    delete_role(role=lead, editor=ada)
    assert not Role.objects.filter(pk=lead.pk).exists()


def test_names_are_unique_in_a_tenant_whatever_their_case(acme, globex, ada, people, lead):
    with pytest.raises(InvalidInput, match="already"):
        make_role(acme, ada, name="TEAM LEAD")
    assert make_role(globex, people.stranger, name="Team lead")


def test_the_second_of_two_editors_hears_who_changed_what(acme, ada, people, lead):
    codes = ["home.view", "usage.view"]
    save_role(role=lead, tenant=acme, name="Team lead", scope="user", codes=codes, editor=ada, version=1)
    root = people.platform_admin
    with pytest.raises(Conflict) as refused:
        save_role(role=lead, tenant=acme, name="Mine", scope="user", codes=codes, editor=root, version=1)
    for told in ("ada@acme", "Added: usage.view", "Removed: calls.others.view"):
        assert told in refused.value.message
    lead.refresh_from_db()
    assert lead.name == "Team lead"


def test_every_change_of_a_role_has_one_audit_row_with_what_was_added_and_removed(acme, ada, lead):
    save_role(role=lead, tenant=acme, name="Lead", scope="user", codes=["usage.view"], editor=ada)
    delete_role(role=lead, editor=ada)
    rows = AuditEntry.objects.filter(tenant_id=acme.pk, target_type="role").order_by("position")
    assert [row.action for row in rows] == ["role.created", "role.changed", "role.deleted"]
    changed = rows[1].details
    assert changed["added"] == ["usage.view"]
    assert changed["removed"] == ["calls.others.view", "home.view"]
    assert {row.actor for row in rows} == {"ada@acme"}


def test_a_clone_of_a_built_in_role_can_be_changed_and_gives_nothing_that_the_cloner_lacks(acme, ada, people, system):
    copy = clone_role(role=built_in("supervisor"), tenant=acme, name="My supervisor", editor=ada)
    assert copy.permissions == built_in("supervisor").permissions
    assert copy.reach == AccessScope.MANAGED_GROUPS
    admin_copy = clone_role(role=built_in("platform_admin"), tenant=system, name="Copy", editor=people.platform_admin)
    assert admin_copy.permissions == built_in("platform_admin").permissions
    weak = make_user(acme, make_role(acme, ada, name="Weak", scope="system", codes=["roles.edit"]), "wes")
    with pytest.raises(NotAllowed):
        clone_role(role=built_in("supervisor"), tenant=acme, name="Strong", editor=weak)


def test_a_role_is_given_only_by_those_who_hold_all_of_it(acme, ada, people):
    for key in ("tenant_admin", "supervisor", "agent", "auditor", "integrator"):
        demand_grantable(ada, built_in(key))
        demand_grantable(people.platform_admin, built_in(key))
    with pytest.raises(NotAllowed):
        demand_grantable(ada, built_in("platform_admin"))
    with pytest.raises(NotAllowed):
        demand_grantable(people.supervisor, built_in("tenant_admin"))
    with pytest.raises(NotAllowed, match="wider"):
        demand_grantable(people.supervisor, make_role(acme, ada, name="W", scope="system", codes=["home.view"]))
    demand_grantable(people.platform_admin, built_in("platform_admin"))
    people.platform_admin.viewing = acme
    with pytest.raises(NotAllowed):
        demand_grantable(people.platform_admin, built_in("platform_admin"))


def test_the_last_administrator_stays(acme, globex, ada, people):
    demand_admin(acme)
    assert list(administrators(acme)) == [ada]
    with transaction.atomic():
        User.objects.filter(pk=ada.pk).update(is_active=False)
        with pytest.raises(Conflict, match="Nobody would be left"):
            demand_admin(acme)
    User.objects.filter(pk=ada.pk).update(is_active=True)
    second = make_role(acme, ada, name="Deputy", scope="system", codes=["users.edit", "roles.edit"])
    make_user(acme, second, "dan")
    User.objects.filter(pk=ada.pk).update(is_active=False)
    demand_admin(acme)
    with pytest.raises(Conflict):
        save_role(
            role=second, tenant=acme, name="D", scope="system", codes=["users.edit"], editor=people.platform_admin
        )
    assert demand_admin(globex) is None


def test_a_role_in_use_is_not_deleted(acme, ada, lead):
    make_user(acme, lead, "lea")
    with pytest.raises(Conflict, match="1 user has this role"):
        delete_role(role=lead, editor=ada)
    User.objects.filter(username="lea").update(role=built_in("agent"))
    delete_role(role=lead, editor=ada)
    assert not Role.objects.filter(pk=lead.pk).exists()


def test_roles_that_one_sees_are_the_built_in_ones_of_the_kind_and_the_own_tenants(acme, globex, ada, people, lead):
    foreign = make_role(globex, people.stranger, name="Theirs")
    seen = set(visible_roles(ada))
    assert lead in seen
    assert foreign not in seen
    assert {role.key for role in seen if role.key} == set(DefaultRole) - {"platform_admin"}
    root = people.platform_admin
    assert {lead, foreign, built_in("platform_admin")} <= set(visible_roles(root))
    root.viewing = acme
    assert set(visible_roles(root)) == seen


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_the_grid_shows_every_row_and_right_of_the_guide(client_for, ada, page):
    text = client_for(ada).get(page).content.decode()
    for row in GRID:
        for code in row.codes:
            assert (f'value="{code}"' in text) == (code in TENANT_CODES), code
    assert text.count('<th scope="row">') == len([row for row in GRID if not row.platform])
    assert re.search(r'value="calls.confidential.view"[^>]*disabled', text)
    assert "you lack this right yourself" in text
    assert re.search(r'value="home.view" checked', text)


def test_a_button_of_the_grid_works_without_scripts_and_stores_nothing(client_for, ada, lead, page):
    client = client_for(ada)
    body = {"name": "Typed", "scope": "user", "version": 1, "granted": ["home.view"]}
    answer = client.post(page, {**body, "apply": "row:calls.own:set"})
    text = answer.content.decode()
    assert answer.status_code == 200
    assert 'value="Typed"' in text
    assert text.count(" checked") == 17 + 1 + 1  # the row, home.view, the scope
    only = client.post(page, {**body, "apply": "all:view"}).content.decode()
    assert 'value="users.view" checked' in only
    assert 'value="home.view" checked' in only
    assert 'value="calls.others.playback" checked' not in only
    assert client.post(page, {**body, "apply": "row:nonsense:set"}).status_code == 400
    lead.refresh_from_db()
    assert (lead.name, lead.version) == ("Team lead", 1)


def test_buttons_leave_locked_boxes_alone():
    ticked = {"calls.confidential.view", "calls.upload"}
    held = TENANT_CODES - {"calls.confidential.view"}
    assert applied("all:clear", ticked, platform=False, held=held) == {"calls.confidential.view"}
    every = applied("all:set", set(), platform=False, held=held)
    assert every == held
    views = applied("all:view", ticked, platform=False, held=held)
    assert views == {code for code in held if code.endswith(".view")} | {"calls.confidential.view"}


def test_saving_keeps_locked_boxes_and_a_forged_one_is_forbidden(client_for, acme, ada, people, lead, page):
    codes = ["home.view", "calls.confidential.view"]
    save_role(role=lead, tenant=acme, name="L", scope="user", codes=codes, editor=people.platform_admin, version=1)
    client = client_for(ada)
    body = {"name": "L", "scope": "user", "version": 2, "granted": ["usage.view"]}
    assert client.post(page, body).status_code == 302
    lead.refresh_from_db()
    assert set(lead.granted) == {"usage.view", "calls.confidential.view"}
    other = make_role(acme, ada, name="Other")
    forged = {**body, "version": 1, "granted": ["calls.confidential.view"]}
    answer = client.post(reverse("accounts:role", args=[other.pk]), forged)
    assert answer.status_code == 403
    assert client.post(reverse("accounts:role", args=[other.pk]), {**body, "granted": ["no.such"]}).status_code == 422


def test_a_wrong_name_stands_at_its_field_and_an_old_version_is_a_conflict(client_for, ada, lead, page):
    client = client_for(ada)
    body = {"name": "", "scope": "user", "version": 1, "granted": ["usage.view"]}
    answer = client.post(page, body)
    assert answer.status_code == 422
    assert 'value="usage.view" checked' in answer.content.decode()
    assert client.post(page, {**body, "name": "L"}).status_code == 302
    late = client.post(page, {**body, "name": "Late"})
    assert late.status_code == 409
    assert "ada@acme" in late.content.decode()


def test_built_in_roles_are_read_only_with_a_way_to_clone_them(client_for, ada, acme):
    client, role = client_for(ada), built_in("supervisor")
    url = reverse("accounts:role", args=[role.pk])
    text = client.get(url).content.decode()
    clone = reverse("accounts:role_clone", args=[role.pk])
    assert clone in text
    assert "apply" not in text
    assert client.post(url, {"name": "X", "scope": "user"}).status_code == 403
    assert client.get(reverse("accounts:role_delete", args=[role.pk])).status_code == 403
    assert client.post(clone, {"name": "My supervisor"}).status_code == 302
    made = Role.objects.get(tenant=acme, name="My supervisor")
    assert made.permissions == role.permissions


def test_who_may_only_look_changes_nothing(client_for, acme, ada, lead, page):
    reader = make_user(acme, make_role(acme, ada, name="Reader", codes=["roles.view"]), "rea")
    client = client_for(reader)
    text = client.get(page).content.decode()
    assert "apply" not in text
    assert "role_users" not in text
    assert client.post(page, {"name": "X", "scope": "user", "version": 1}).status_code == 403
    for name in ("role_users", "role_clone", "role_delete"):
        assert client.get(reverse(f"accounts:{name}", args=[lead.pk])).status_code == 403
    assert client.get(reverse("accounts:role_add")).status_code == 403


def test_foreign_and_unknown_roles_are_the_same_404(client_for, globex, ada, people):
    foreign = make_role(globex, people.stranger, name="Theirs")
    client = client_for(ada)
    for name in ("role", "role_users", "role_clone", "role_delete"):
        for pk in (foreign.pk, 2**40):
            assert client.get(reverse(f"accounts:{name}", args=[pk])).status_code == 404
            assert client.post(reverse(f"accounts:{name}", args=[pk]), {"name": "X"}).status_code in (404, 405)


def test_lists_count_only_the_users_that_the_viewer_sees(client_for, acme, globex, ada, people):
    make_user(globex, "agent", "gus")
    rows = client_for(ada).get(LIST).context["table"].rows
    people_by_key = {row.record.key: row.record.people for row in rows}
    assert people_by_key["agent"] == 2
    users = client_for(ada).get(reverse("accounts:role_users", args=[built_in("agent").pk])).content.decode()
    assert "alan" in users
    assert "gus" not in users
    for_root = client_for(people.platform_admin).get(LIST).context["table"].rows
    assert {row.record.key: row.record.people for row in for_root}["agent"] == 3


def test_who_has_a_right_lists_the_roles_that_grant_it_and_counts_their_users(client_for, ada, lead):
    client = client_for(ada)
    url = reverse("accounts:role_rights")
    assert client.get(url).status_code == 200
    answer = client.get(url, {"code": "calls.others.view"})
    names = {row.record.name for row in answer.context["table"].rows}
    assert names == {"Tenant administrator", "Supervisor", "Auditor", "Integrator", "Team lead"}
    assert "2 users have the right" in answer.content.decode()
    assert client.get(url, {"code": "nonsense"}).status_code == 400
    csv = b"".join(client.get(LIST, {"format": "csv", "kind": "own"}).streaming_content).decode("utf-8-sig")
    assert csv.splitlines()[0].startswith("Name,Kind,Access scope,Rights,Users")
    assert csv.splitlines()[1].startswith("Team lead,Own,Managed groups,2,0")


def test_two_roles_are_compared_right_by_right(client_for, ada, lead, globex, people):
    client, url = client_for(ada), reverse("accounts:role_compare")
    assert client.get(url).status_code == 200
    answer = client.get(url, {"a": built_in("agent").pk, "b": built_in("supervisor").pk})
    codes = {row["code"] for row in answer.context["rows"]}
    assert codes == built_in("agent").permissions ^ built_in("supervisor").permissions
    theirs = make_role(globex, people.stranger, name="Theirs")
    assert client.get(url, {"a": lead.pk, "b": theirs.pk}).status_code == 400


def test_a_used_role_says_who_has_it_instead_of_going(client_for, acme, ada, lead):
    make_user(acme, lead, "lea")
    url = reverse("accounts:role_delete", args=[lead.pk])
    answer = client_for(ada).post(url)
    assert answer.status_code == 409
    assert "1 user has this role" in answer.content.decode()
    assert reverse("accounts:role_users", args=[lead.pk]) in answer.content.decode()


def test_the_page_to_delete_a_used_role_gives_the_reason_and_no_button(client_for, acme, ada, lead):
    url, button = reverse("accounts:role_delete", args=[lead.pk]), 'class="btn btn-danger"'
    free = client_for(ada).get(url).content.decode()
    assert button in free
    make_user(acme, lead, "lea")
    answer = client_for(ada).get(url)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "1 user has this role. Give them another one first." in page
    assert button not in page


@pytest.mark.parametrize("name", ["Agent", "agent", "AGENT", "Tenant administrator", "tenant_admin", "\uff21gent"])
def test_an_own_role_does_not_pass_for_a_built_in_one(acme, ada, lead, name):
    common = {"tenant": acme, "name": name, "editor": ada}
    with pytest.raises(InvalidInput) as made:
        make_role(acme, ada, name=name)
    with pytest.raises(InvalidInput) as copied:
        clone_role(role=built_in("agent"), **common)
    with pytest.raises(InvalidInput) as renamed:
        save_role(role=lead, scope="user", codes=[], **common)
    assert {refused.value.field for refused in (made, copied, renamed)} == {"name"}
    assert clone_role(role=built_in("agent"), tenant=acme, name="Agents", editor=ada).name == "Agents"


@pytest.mark.parametrize("name", ["Lead\nof all", "\u202eLead", "\u200b"])
def test_the_name_of_a_role_stands_on_one_line_and_can_be_seen(acme, ada, name):
    with pytest.raises(InvalidInput) as refused:
        make_role(acme, ada, name=name)
    assert refused.value.field == "name"
    assert make_role(acme, ada, name="-Lead").name == "-Lead"


def test_platform_staff_make_roles_for_the_tenant_they_choose(client_for, people, globex, system):
    client = client_for(people.platform_admin)
    body = {"name": "Made above", "scope": "user", "granted": ["home.view"]}
    assert client.post(reverse("accounts:role_add"), {**body, "tenant": globex.pk}).status_code == 302
    assert Role.objects.get(name="Made above").tenant == globex
    refused = client.post(reverse("accounts:role_add"), {**body, "tenant": globex.pk, "granted": ["jobs.edit"]})
    assert refused.status_code == 422
    assert AuditEntry.objects.filter(tenant_id=globex.pk, action="role.created", actor="root@system").exists()


# --- Race -------------------------------------------------------------------------------------------------------------


def test_two_administrators_who_remove_each_other_leave_one(django_db_setup, django_db_blocker):
    """Both updates run at the same time; the second one to ask counts what the first has left."""
    with django_db_blocker.unblock():
        _race(Tenant.objects.get(slug="acme"))


def _race(acme: Tenant) -> None:
    results, barrier = [], threading.Barrier(2)
    others = list(administrators(acme).values_list("pk", flat=True))
    made = [
        User.objects.create(tenant=acme, username=name, username_key=name, role=built_in("tenant_admin"))
        for name in ("race-a", "race-b")
    ]

    def remove(pk) -> None:
        try:
            with transaction.atomic():
                User.objects.filter(pk=pk).update(is_active=False)
                barrier.wait(10)
                demand_admin(acme)
            results.append("removed")
        except Conflict:
            results.append("refused")
        finally:
            connection.close()

    try:
        User.objects.filter(pk__in=others).update(is_active=False)
        threads = [threading.Thread(target=remove, args=[user.pk]) for user in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(results) == ["refused", "removed"]
        assert administrators(acme).count() == 1
    finally:
        User.objects.filter(pk__in=[user.pk for user in made]).delete()
        User.objects.filter(pk__in=others).update(is_active=True)
        connection.close()

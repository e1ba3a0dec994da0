"""A refused page names the right as the grid of rights calls it, its code, and who can give it."""

import pytest
from django.urls import reverse

from accounts.models import Role, User
from tenants import viewing

pytestmark = pytest.mark.django_db


def refused(client, name, *args):
    page = client.get(reverse(name, args=args))
    assert page.status_code == 403
    return page.content.decode()


def test_a_right_of_the_tenant_is_named_with_who_gives_it(client_for, people):
    text = refused(client_for(people.agent), "licensing:users")
    assert "This needs the right “Administration – Users: View” (users.view)." in text
    assert "User Management &gt; Roles, “Administration – Roles: Edit”" in text


def test_a_right_of_the_platform_is_said_to_be_one(client_for, people):
    text = refused(client_for(people.tenant_admin), "queues:add")
    assert "“Platform – Processing Queues: Edit” (queues.edit)" in text
    assert "only the provider&#x27;s staff can have it" in text


def test_of_several_rights_that_would_do_all_are_named(client_for, people, acme):
    bare = Role.objects.create(tenant=acme, name="Bare", granted=["home.view"])
    User.objects.filter(pk=people.agent.pk).update(role=bare)
    text = refused(client_for(User.objects.get(pk=people.agent.pk)), "conversations:calls")
    assert "“Call recordings – Own: View” (calls.own.view) or “Call recordings – Other users&#x27;: View”" in text


def test_who_views_a_tenant_is_told_that_he_only_looks(client_for, people, acme):
    client = client_for(people.platform_admin)
    session = client.session
    viewing.begin(session=session, user=people.platform_admin, tenant=acme, reason="test")
    session.save()
    assert "While you view a tenant" in refused(client, "licensing:user_add")


def test_a_right_that_concerns_all_tenants_needs_the_scope_system(client_for, people, system):
    codes = ["pairing.view", "pairing.edit"]
    role = Role.objects.create(tenant=system, name="R", platform=True, scope="managed_groups", granted=codes)
    User.objects.filter(pk=people.platform_admin.pk).update(role=role)
    text = refused(client_for(User.objects.get(pk=people.platform_admin.pk)), "pairing:edit")
    assert "“Platform – Pairing server: Edit” (pairing.edit)" in text
    assert "It needs a role with the access scope “System”." in text


def test_a_program_gets_the_same_words_as_json(client_for, people):
    page = client_for(people.agent).get(reverse("licensing:users"), headers={"Accept": "application/json"})
    assert page.status_code == 403
    assert "(users.view)" in page.json()["message"]

"""The door to the settings of the own tenant, for those who have no list of tenants; and its language."""

import pytest
from django.urls import reverse

from accounts.models import Role, User
from tenants.models import Tenant

pytestmark = pytest.mark.django_db


def entries(client, address: str = "/") -> dict[str, dict]:
    return {entry["label"]: entry for section in client.get(address).context["nav"] for entry in section["items"]}


def with_rights(user: User, *codes: str) -> User:
    role = Role.objects.create(tenant=user.tenant, name="Own", scope="user", granted=["home.view", *codes])
    User.objects.filter(pk=user.pk).update(role=role)
    return User.objects.get(pk=user.pk)


def test_a_tenant_administrator_has_an_entry_that_is_active_on_every_tab(client_for, people, acme, page):
    client = client_for(people.tenant_admin)
    found = entries(client)
    assert "Tenants" not in found
    assert found["Organisation"]["url"] == reverse("licensing:service_limits", args=[acme.pk])
    assert not found["Organisation"]["active"]
    for address in (found["Organisation"]["url"], page("retention", acme)):
        assert client.get(address).status_code == 200
        active = [label for label, entry in entries(client, address).items() if entry["active"]]
        assert active == ["Organisation"], address


@pytest.mark.parametrize(
    ("right", "route"),
    [("sign_in.view", "accounts:tenant_sign_in"), ("retention.view", "tenants:retention")],
)
def test_the_entry_leads_to_the_first_tab_that_the_person_may_see(client_for, people, acme, right, route):
    client = client_for(with_rights(people.agent, right))
    url = entries(client)["Organisation"]["url"]
    assert url == reverse(route, args=[acme.pk])
    assert client.get(url).status_code == 200


def test_who_may_see_no_tab_has_no_entry_and_who_has_the_list_needs_none(client_for, people, root):
    assert "Organisation" not in entries(client_for(people.agent))
    assert "Organisation" not in entries(root)
    assert "Tenants" in entries(root)


def test_who_views_as_a_tenant_has_the_entry_of_that_tenant(root, page, acme):
    root.post(page("view_as", acme), {"reason": "Ticket 17"})
    url = entries(root)["Organisation"]["url"]
    assert str(acme.pk) in url
    assert root.get(url).status_code == 200


def test_pages_are_in_the_language_of_the_user_else_the_tenant_else_the_browser(client_for, client, people, acme):
    def shown(browser, **headers) -> tuple[str, str]:
        answer = browser.get("/sign-in/" if browser is client else "/", headers=headers)
        frame = answer.content.decode().partition("<html")[2].partition(">")[0]
        language = frame.partition('lang="')[2].partition('"')[0]
        assert answer["Content-Language"] == language
        return language, frame.partition('dir="')[2].partition('"')[0]

    ada = client_for(people.tenant_admin)
    assert shown(ada, accept_language="he") == ("en-gb", "ltr")
    Tenant.objects.filter(pk=acme.pk).update(language="he")
    assert shown(ada, accept_language="en-gb") == ("he", "rtl")
    assert shown(client_for(people.stranger)) == ("en-gb", "ltr")
    User.objects.filter(pk=people.tenant_admin.pk).update(language="en-gb")
    assert shown(ada, accept_language="he") == ("en-gb", "ltr")
    assert shown(client, accept_language="he") == ("he", "rtl")
    # A language that the product has forgotten counts as none.
    User.objects.filter(pk=people.tenant_admin.pk).update(language="tlh")
    assert shown(ada, accept_language="en-gb") == ("he", "rtl")

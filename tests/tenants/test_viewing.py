"""Viewing as a tenant: everything can be seen, nothing changed, and it ends by itself."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import sessions
from accounts.models import Role, User
from accounts.passwords import set_by_admin
from audit.models import AuditEntry
from licensing.services import save_person, set_enabled
from tenants.models import Tenant
from tenants.viewing import LENGTH, SESSION_KEY
from tests.accounts.signing_in import sign_in
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LEAVE = "/administration/user-management/tenants/leave-view/"


@pytest.fixture
def viewing(root, page, acme):
    """The platform admin's browser, viewing as acme."""
    answer = root.post(page("view_as", acme), {"reason": "Ticket 17"})
    assert answer.status_code == 302
    return root


def rows(tenant: Tenant) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(tenant_id=tenant.pk, action__startswith="tenant.view").order_by("position"))


def test_begin_and_end_stand_in_the_chain_of_the_tenant_with_person_and_reason(viewing, acme, page):
    assert viewing.post(LEAVE)["Location"] == page("tenant", acme)
    assert [(row.action, row.actor, row.reason) for row in rows(acme)] == [
        ("tenant.view_started", "root@system", "Ticket 17"),
        ("tenant.view_ended", "root@system", "Ticket 17"),
    ]
    assert rows(acme)[1].details["why"] == "left"
    assert SESSION_KEY not in viewing.session
    assert viewing.get(page("tenant", acme)).status_code == 200


def test_every_page_shows_the_banner_and_the_tenants_rows(viewing):
    for path in ("/", "/calls/"):
        answer = viewing.get(path)
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "You are viewing as" in text
        assert "Ticket 17" in text
        assert LEAVE in text
        assert answer.wsgi_request.tenant.slug == "acme"
    missing = viewing.get("/calls/00000000-0000-0000-0000-000000000000/")
    assert missing.status_code == 404
    assert LEAVE in missing.content.decode()


def test_the_pages_of_the_platform_and_of_other_tenants_are_out_of_reach_meanwhile(viewing, page, globex, acme):
    assert viewing.get(reverse("licensing:tenants")).status_code == 403
    assert viewing.get(page("retention", globex)).status_code == 404
    assert viewing.get(page("retention", acme)).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(viewing, page, acme, method):
    before = AuditEntry.objects.count()
    answer = getattr(viewing, method)(page("retention", acme))
    assert answer.status_code == 403
    assert "You are viewing as Acme; leave it to make changes." in answer.content.decode()
    assert LEAVE in answer.content.decode()
    assert not AuditEntry.objects.exclude(action="access.denied").count() > before
    assert viewing.post("/theme/", {"theme": "dark"}).status_code == 302


def test_a_second_view_needs_the_first_one_left(viewing, page, globex):
    assert viewing.post(page("view_as", globex), {"reason": "x"}).status_code == 403
    viewing.post(LEAVE)
    assert viewing.post(page("view_as", globex), {"reason": "x"}).status_code == 302


def test_it_ends_after_an_hour(viewing, acme, page):
    session = viewing.session
    session[SESSION_KEY] = {**session[SESSION_KEY], "until": timezone.now().isoformat()}
    session.save()
    answer = viewing.get("/")
    assert "has ended" in answer.content.decode()
    assert LEAVE not in answer.content.decode()
    assert rows(acme)[-1].details["why"] == "expired"
    assert rows(acme)[-1].actor_tenant_id is not None
    assert viewing.get(page("tenant", acme)).status_code == 200


def test_an_hour_is_the_limit_from_the_start(viewing):
    until = viewing.get("/").wsgi_request.viewing.until
    assert timezone.now() < until <= timezone.now() + LENGTH


@pytest.mark.parametrize("state", ["suspended", "closed", "deleted"])
def test_it_ends_when_the_tenant_is_no_longer_ready(viewing, acme, state):
    Tenant.objects.filter(pk=acme.pk).update(state=state)
    assert viewing.get("/").wsgi_request.tenant.slug == "system"
    assert rows(acme)[-1].details["why"] == "tenant_not_ready"


def test_it_ends_when_the_right_is_lost(viewing, acme, people, system):
    role = Role.objects.create(
        tenant=system, name="Looks only", platform=True, scope="system", granted=["tenants.view", "home.view"]
    )
    User.objects.filter(pk=people.platform_admin.pk).update(role=role)
    assert viewing.get("/").wsgi_request.tenant.slug == "system"
    assert rows(acme)[-1].details["why"] == "right_lost"


def test_signing_out_ends_it_too(viewing, acme):
    viewing.post("/sign-out/")
    assert rows(acme)[-1].details["why"] == "signed_out"
    assert viewing.get("/")["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("how", ["all", "password", "disabled", "many"])
def test_it_ends_with_a_session_that_somebody_else_ends(acme, people, page, second_admin, how):
    root = people.platform_admin
    browser = Client()
    assert sign_in(browser, organisation="system", username="root").status_code == 302
    assert browser.post(page("view_as", acme), {"reason": "Ticket 17"}).status_code == 302
    assert [row.action for row in rows(acme)] == ["tenant.view_started"]
    if how == "all":
        assert sessions.revoke_all(user=root, actor=second_admin.actor) == 1
    elif how == "password":
        set_by_admin(user=root, password=f"{PASSWORD} again", actor=second_admin.actor)
    elif how == "disabled":
        values = {"is_active": False}
        common = {"tenant": root.tenant, "version": root.version, "licences": None}
        save_person(user=root, values=values, editor=second_admin, **common)
    else:
        assert set_enabled(users=User.objects.filter(pk=root.pk), enabled=False, editor=second_admin) == 1
    started, ended = rows(acme)
    assert (ended.action, ended.actor, ended.reason) == ("tenant.view_ended", "root@system", "Ticket 17")
    assert ended.details == {"why": "session_ended"}
    assert started.actor_tenant_id == ended.actor_tenant_id == root.tenant_id
    assert browser.get("/")["Location"].startswith("/sign-in/")


def test_a_session_without_a_view_ends_without_a_row_in_any_tenant(acme, people):
    assert sign_in(Client(), organisation="system", username="root").status_code == 302
    assert sessions.revoke_all(user=people.platform_admin, actor="test") == 1
    assert rows(acme) == []


def test_signing_out_of_a_view_leaves_one_row_of_its_end(acme, page):
    browser = Client()
    assert sign_in(browser, organisation="system", username="root").status_code == 302
    browser.post(page("view_as", acme), {"reason": "Ticket 17"})
    browser.post("/sign-out/")
    assert [row.action for row in rows(acme)] == ["tenant.view_started", "tenant.view_ended"]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_without_a_reason_nobody_looks(root, page, acme, reason):
    answer = root.post(page("view_as", acme), {"reason": reason})
    assert answer.status_code == 422
    assert "reason" in answer.context["form"].errors
    assert rows(acme) == []
    assert root.get("/").wsgi_request.tenant.slug == "system"


def test_only_a_ready_tenant_of_a_customer_can_be_viewed_and_only_with_the_right(
    root, client_for, people, page, acme, globex, system
):
    Tenant.objects.filter(pk=globex.pk).update(state="suspended")
    assert root.post(page("view_as", globex), {"reason": "x"}).status_code == 409
    assert root.post(page("view_as", system), {"reason": "x"}).status_code == 409
    assert client_for(people.tenant_admin).post(page("view_as", acme), {"reason": "x"}).status_code == 403


def test_leaving_without_a_view_is_harmless(root, client_for, people, acme):
    assert root.post(LEAVE)["Location"] == "/"
    assert client_for(people.agent).post(LEAVE)["Location"] == "/"
    assert root.get(LEAVE).status_code == 405
    assert rows(acme) == []

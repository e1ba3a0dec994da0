"""Signing in and out: organisation, user name, password; the same refusal for every reason."""

import logging
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, identify_hasher
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import create_user
from audit.models import AuditEntry
from core.errors import InvalidInput
from core.logs import RefusalFilter
from tenants.models import Tenant
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in/"


def sign_in(client: Client, organisation="acme", username="ada", password=PASSWORD, **more):
    return client.post(
        SIGN_IN, {"organisation": organisation, "username": username, "password": password, **more}, follow=False
    )


@pytest.mark.parametrize(("organisation", "username"), [("acme", "ada"), ("ACME", "ADA"), (" acme ", "Ada")])
def test_the_right_password_signs_in_whatever_the_case_of_the_names(acme, organisation, username):
    client = Client()
    before = client.cookies.get("sessionid")
    response = sign_in(client, organisation, username)
    assert response.status_code == 302
    assert response["Location"] == "/"
    assert client.cookies["sessionid"] != before
    assert client.get("/").status_code == 200


def test_every_wrong_sign_in_gets_one_and_the_same_answer_and_no_session(acme):
    User.objects.filter(username="olga").update(is_active=False)
    Tenant.objects.filter(slug="globex").update(state="suspended")
    answers = set()
    for organisation, username, password in [
        ("acme", "ada", "wrong"),
        ("acme", "nobody", PASSWORD),
        ("nowhere", "ada", PASSWORD),
        ("globex", "ada", PASSWORD),
        ("acme", "olga", PASSWORD),
        ("globex", "stan", PASSWORD),
        ("acme", "ada", PASSWORD + " "),
    ]:
        client = Client()
        response = sign_in(client, organisation, username, password)
        assert response.status_code == 422
        assert client.get("/").status_code == 302
        answers.add(str(response.context["form"].non_field_errors()))
    assert len(answers) == 1


def test_master_is_another_name_of_the_system_tenant(system):
    assert sign_in(Client(), "master", "root").status_code == 302
    assert sign_in(Client(), "system", "root").status_code == 302


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"])
def test_next_leads_only_to_paths_of_our_own(acme, target):
    assert sign_in(Client(), next=target)["Location"] == "/"
    assert sign_in(Client(), next="/calls/")["Location"] == "/calls/"


def test_a_session_ends_with_sign_out_with_disabling_and_with_the_suspension_of_the_tenant(client_for, people, acme):
    client = client_for(people.tenant_admin)
    assert client.get("/").status_code == 200
    Tenant.objects.filter(pk=acme.pk).update(state="suspended")
    assert client.get("/").status_code == 302
    Tenant.objects.filter(pk=acme.pk).update(state="ready")
    assert client.get("/").status_code == 302
    client = client_for(people.tenant_admin)
    User.objects.filter(pk=people.tenant_admin.pk).update(is_active=False)
    assert client.get("/").status_code == 302
    client = client_for(people.supervisor)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 302
    assert client.get("/").status_code == 302


def test_signing_in_and_failing_to_are_both_in_the_audit_trail_without_the_password(acme):
    sign_in(Client(), password="wrong-password-canary")
    sign_in(Client())
    actions = list(AuditEntry.objects.filter(tenant_id=acme.pk).order_by("position").values_list("action", flat=True))
    assert actions[-2:] == ["user.sign_in_refused", "user.signed_in"]
    assert not [e for e in AuditEntry.objects.all() if "canary" in str(e.details)]


def test_a_post_without_the_csrf_token_is_refused(acme):
    assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_anonymous_pages_lead_to_sign_in_and_anonymous_calls_get_401(acme):
    assert Client().get("/calls/")["Location"] == f"{reverse('accounts:sign_in')}?next=/calls/"
    assert Client().get("/calls/", headers={"accept": "application/json"}).status_code == 401
    assert Client().get("/calls/", headers={"hx-request": "true"}).status_code == 401


@pytest.mark.parametrize(
    ("page", "back"),
    [
        ("http://testserver/calls/?q=1", "/calls/?q=1"),
        ("https://evil.example/calls/", "/calls/"),
        ("https://[", "/"),
        ("", "/"),
    ],
)
def test_a_page_whose_session_ended_comes_back_after_the_sign_in(acme, page, back):
    client = Client()
    refused = client.get("/calls/", headers={"hx-request": "true", "hx-current-url": page})
    target = parse_qs(urlsplit(refused["HX-Redirect"]).query)["next"][0]
    assert target == back
    assert sign_in(client, next=target)["Location"] == back


def test_a_name_that_no_database_takes_is_refused_as_any_other(acme):
    for organisation, username in [("ac\x00me", "ada"), ("acme", "a\x00da")]:
        assert sign_in(Client(), organisation=organisation, username=username).status_code == 422
    assert sign_in(Client()).status_code == 302


def test_refusals_leave_one_line_in_the_log_and_errors_their_trace():
    record = logging.LogRecord("django.request", logging.WARNING, "", 0, "Forbidden", None, (ValueError, None, None))
    record.status_code = 403
    assert RefusalFilter().filter(record)
    assert record.exc_info is None
    record.exc_info, record.status_code = (ValueError, None, None), 500
    assert RefusalFilter().filter(record)
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"username": "ADA"}, "username"),
        ({"username": "a b"}, "username"),
        ({"username": ""}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"role": "platform_admin"}, "role"),
        ({"role": "emperor"}, "role"),
        ({"time_zone": "Mars"}, "time_zone"),
    ],
)
def test_a_user_that_breaks_a_rule_is_refused_by_field_and_not_stored(acme, globex, changes, field):
    values = {"tenant": acme, "username": "new", "password": PASSWORD, "role": "agent", "actor": "test"}
    before = User.objects.count()
    with pytest.raises(InvalidInput) as refused:
        create_user(**(values | changes))
    assert refused.value.field == field
    assert User.objects.count() == before
    assert create_user(**(values | {"tenant": globex, "username": "ADA"})).username_key == "ada"


def test_a_password_in_the_address_is_refused_and_hostile_ones_are_compared_or_named(acme):
    assert (
        Client().get("/sign-in/", {"organisation": "acme", "username": "ada", "password": PASSWORD}).status_code == 400
    )
    for hostile in ("a" * 1001, "a" * 1_000_000, "a\x00b", ""):
        refused = sign_in(Client(), password=hostile)
        assert refused.status_code == 422
        assert "password" in refused.context["form"].errors
    assert sign_in(Client(), password="a" * 3_000_000).status_code == 413
    assert sign_in(Client(), password="💥" * 64).status_code == 422


def test_passwords_are_argon2id_at_the_frameworks_full_cost_outside_of_tests(people):
    assert identify_hasher(people.agent.password).algorithm == "argon2"
    assert "argon2id" in people.agent.password
    assert (Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost) >= (2, 102400)


def test_pages_carry_the_security_headers(client_for, people):
    response = client_for(people.tenant_admin).get("/")
    policy = response["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "object-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    assert response["X-Request-Id"].startswith("req_")

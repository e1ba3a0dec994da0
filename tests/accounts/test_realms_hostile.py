"""The identity facade under attack: what was found by trying to break it (hostile inputs 3B, contract section 2)."""

import base64
import json
import uuid
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.factors.services import use_code
from accounts.models import User
from accounts.realms import keys, selectors, services
from accounts.realms.access import authenticate
from accounts.realms.models import RealmKey, RealmSession, RealmSetting
from accounts.security_models import SignInThrottle
from audit.models import AuditEntry
from core.middleware import CookielessMiddleware
from tenants.keys import data_key, keyring
from tests.accounts.signing_in import with_authenticator
from tests.accounts.test_realms import FORM, GOOD, alive, granted, post, realm  # noqa: F401
from tests.hashers import QuickArgon2PasswordHasher

pytestmark = pytest.mark.django_db
USERINFO = "/realms/acme/protocol/openid-connect/userinfo"


def test_a_recovery_code_is_neither_taken_nor_spent(people):
    _secret, codes = with_authenticator(people.tenant_admin)
    answer = post(**{**GOOD, "totp": codes[0]})
    assert (answer.status_code, answer.json()["error_description"]) == (401, "Invalid user credentials")
    assert use_code(user=people.tenant_admin, code=codes[0]) == "recovery_code"


def test_a_right_password_without_the_code_leaves_a_row(people):
    with_authenticator(people.tenant_admin)
    post(**GOOD)
    assert AuditEntry.objects.filter(action="user.sign_in_refused").latest("pk").details["reason"] == "no_code"


def test_3b1_whoever_is_refused_costs_one_hash_and_learns_the_same(people, monkeypatch):
    work = []

    def counted(name):
        original = getattr(QuickArgon2PasswordHasher, name)

        def run(self, *arguments):
            work.append(name)
            return original(self, *arguments)

        monkeypatch.setattr(QuickArgon2PasswordHasher, name, run)

    # Django compares by one and spends the same time by the other.
    counted("verify")
    counted("encode")
    User.objects.filter(pk=people.supervisor.pk).update(is_active=False)
    wrong = {**GOOD, "password": "wrong"}
    answers = {}
    for case, form in (
        ("wrong password", wrong),
        ("unknown user", {**wrong, "username": "nobody"}),
        ("disabled", {**wrong, "username": people.supervisor.username}),
        ("locked", GOOD),
    ):
        if case == "locked":
            SignInThrottle.objects.filter(kind="account").update(locked_until=timezone.now() + timedelta(minutes=5))
        work.clear()
        answer = post(**form)
        answers[case] = (answer.status_code, answer.json()["error_description"], len(work))
    assert set(answers.values()) == {(401, "Invalid user credentials", 1)}, answers


def test_codes_that_are_guessed_at_are_answered_with_429(people):
    with_authenticator(people.tenant_admin)
    answers = [post(**{**GOOD, "totp": "000000"}) for _number in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[-1].json() == {"error": "temporarily_unavailable"}
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_an_address_that_failed_too_often_is_answered_with_429(people):
    post(**{**GOOD, "password": "wrong"})
    SignInThrottle.objects.filter(kind="address").update(locked_until=timezone.now() + timedelta(minutes=5))
    answer = post(**GOOD)
    assert (answer.status_code, answer.json()) == (429, {"error": "temporarily_unavailable"})
    assert 0 < int(answer.headers["Retry-After"]) <= 300


def test_guesses_by_name_and_by_address_count_as_one_account(people):
    people.tenant_admin.email = "ada@acme.example"
    people.tenant_admin.save()
    for number in range(11):
        name = "ada" if number % 2 else "ADA%40acme.example"
        assert post(**{**GOOD, "username": name, "password": "wrong"}).status_code == 401
    assert [post(**GOOD).status_code, post(**{**GOOD, "username": "ada%40acme.example"}).status_code] == [401, 401]
    assert SignInThrottle.objects.filter(kind="account").count() == 1


def test_a_disabled_account_is_found_by_its_address_too_and_an_active_one_goes_first(people):
    people.tenant_admin.email = "ada@acme.example"
    people.tenant_admin.is_active = False
    people.tenant_admin.save()
    by_address = {**GOOD, "username": "ada%40acme.example"}
    assert post(**by_address).json()["error_description"] == "Account disabled"
    assert post(**{**by_address, "password": "wrong"}).json()["error_description"] == "Invalid user credentials"
    people.agent.email = "ada@acme.example"
    people.agent.save()
    assert alive(granted(username="ada%40acme.example")["access_token"]) == people.agent.username


def nested(levels: int) -> str:
    deep = f'{{"alg":"RS256","kid":"x","a":{"[" * levels}{"]" * levels}}}'
    return base64.urlsafe_b64encode(deep.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        f"{nested(11_000)}.e30.x",
        f"e30.{nested(11_000)}.x",
        "x" * 100_000,
        "a.b",
        "....",
        "%00.%00.%00",
        "ä.ö.ü",
        base64.urlsafe_b64encode(b'{"alg":["RS256"],"kid":7}').decode().rstrip("=") + ".e30.x",
    ],
    ids=["deep header", "deep claims", "huge", "two parts", "dots", "nul", "not ascii", "odd types"],
)
def test_odd_tokens_are_refused_and_break_nothing(people, token):
    refresh = post(grant_type="refresh_token", client_id="browser_client", refresh_token=token)
    assert (refresh.status_code, refresh.json()["error"]) == (400, "invalid_grant")
    assert post("logout", client_id="browser_client", refresh_token=token).status_code == 400
    assert alive(token) is None


def test_two_authorization_headers_are_a_bad_request(people):
    token = granted()["access_token"]
    for header in (f"Bearer {token},Bearer {token}", f"Bearer {token}, Basic eDp5"):
        answer = Client().get(USERINFO, headers={"Authorization": header})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    for header in (f"Bearer{token}", f"Basic {token}", "Bearer", f"Bearer {token} x", "", f"Bearer\t{token}\t\tx"):
        assert Client().get(USERINFO, headers={"Authorization": header}).status_code == 401


def test_a_token_counts_in_the_header_alone(people, client_for):
    token = granted()["access_token"]
    assert Client().get(f"{USERINFO}?access_token={token}").status_code == 401
    assert Client().post(USERINFO, f"access_token={token}", content_type=FORM).status_code == 401
    client = client_for(people.tenant_admin)
    client.cookies["access_token"] = token
    assert client.get(USERINFO).status_code == 401


def test_paths_of_the_api_see_no_cookies_and_other_paths_all():
    def seen(path):
        request = RequestFactory().get(path, HTTP_COOKIE="sessionid=x; theme=dark")
        return CookielessMiddleware(lambda request: request)(request).COOKIES

    for path in ("/realms/acme", "/auth/realms/acme", "/hrec", "/hrec/", "/api/tasks", "/api/stt/1.x/0"):
        assert seen(path) == {}, path
    for path in ("/", "/calls/", "/hrecords/", "/realm/", "/administration/api/"):
        assert seen(path) == {"sessionid": "x", "theme": "dark"}, path


def test_the_host_that_a_client_names_changes_nothing(people):
    headers = {"Host": "localhost", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    page = Client().get("/realms/acme/.well-known/openid-configuration", headers=headers)
    assert page.json()["issuer"] == "http://localhost:8000/realms/acme"
    assert "evil" not in page.content.decode()


def test_errors_on_paths_of_the_api_are_json_for_everybody(people):
    answer = Client().post("/realms/acme/protocol/openid-connect/token", b"a=b", content_type=f"{FORM}; charset=utf-16")
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (415, "application/json")


def test_a_hundred_sessions_are_kept_and_the_oldest_end(people, monkeypatch):
    monkeypatch.setattr(services, "MOST", 2)
    tokens = [granted()["access_token"] for _number in range(3)]
    assert [alive(token) for token in tokens] == [None, "ada", "ada"]


def test_a_refresh_token_of_a_session_that_was_signed_out_has_no_thief(people):
    body = granted()
    post("logout", client_id="browser_client", refresh_token=body["refresh_token"])
    late = post(grant_type="refresh_token", client_id="browser_client", refresh_token=body["refresh_token"])
    assert (late.status_code, late.json()["error_description"]) == (400, "Token is not active")
    assert not AuditEntry.objects.filter(action="realm.token_reused").exists()
    assert AuditEntry.objects.filter(action="user.signed_out").count() == 1


def test_an_expired_refresh_token_is_not_active(people):
    body = granted()
    session = RealmSession.objects.get()
    old = services.Session(session.pk, people.tenant_admin, "browser_client", session.scope)
    past = timezone.now() - timedelta(hours=1)
    token = services.tokens.refresh_token(old, identity=session.refresh_id, now=past, seconds=60)
    answer = post(grant_type="refresh_token", client_id="browser_client", refresh_token=token)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Token is not active")
    assert alive(body["access_token"]) == "ada"


def test_a_key_that_was_rotated_or_destroyed_elsewhere_signs_no_more(people, acme):
    first = keys.signing_key(acme)[0]
    # As another process would: past the memory of this one.
    RealmKey.objects.filter(kid=first).update(retired_at=timezone.now())
    second = keys.signing_key(acme)[0]
    assert first != second
    RealmKey.objects.all().delete()
    assert keys.signing_key(acme)[0] not in {first, second}


def test_a_token_is_good_in_one_realm_alone(people, globex):
    RealmSetting.objects.create(tenant=globex, enabled=True)
    body = granted()
    refresh = {"grant_type": "refresh_token", "client_id": "browser_client", "refresh_token": body["refresh_token"]}
    assert post(realm="globex", **refresh).status_code == 400
    other = USERINFO.replace("acme", "globex")
    assert Client().get(other, headers={"Authorization": f"Bearer {body['access_token']}"}).status_code == 401
    assert alive(body["access_token"]) == "ada"


def test_lost_roles_and_switched_off_realms_count_at_once(people):
    token = granted()["access_token"]
    assert authenticate(f"Bearer {token}").user.has("users.edit")
    User.objects.filter(pk=people.tenant_admin.pk).update(role=people.agent.role)
    assert not authenticate(f"Bearer {token}").user.has("users.edit")
    RealmSetting.objects.update(enabled=False)
    assert alive(token) is None


def test_preflights_are_answered_for_origins_that_a_tenant_lists(people):
    RealmSetting.objects.filter(tenant__slug="acme").update(cors_origins=["https://app.acme.example"])
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    fine = Client().options(USERINFO, headers={"Origin": "https://app.acme.example", **asked})
    assert fine.status_code == 204
    assert fine.headers["Access-Control-Allow-Origin"] == "https://app.acme.example"
    assert "Authorization" in fine.headers["Access-Control-Allow-Headers"]
    assert fine.headers["Access-Control-Max-Age"] == "600"
    assert [
        selectors.listed_anywhere(origin) for origin in ("https://app.acme.example", "https://evil.example", "")
    ] == [
        True,
        False,
        False,
    ]
    RealmSetting.objects.update(enabled=False)
    assert not selectors.listed_anywhere("https://app.acme.example")


@pytest.mark.parametrize(
    ("name", "value", "identity"),
    [
        ("REALMS_ERRORS", "keycloak", "accounts.E001"),
        ("REALMS_TLS", "yes", "accounts.E002"),
        ("BASE_URL", "parlance.example", "accounts.E003"),
        ("BASE_URL", "https://parlance.example/?x=1", "accounts.E003"),
    ],
)
def test_a_wrong_setting_is_named_at_start(settings, name, value, identity):
    assert not [problem for problem in run_checks() if problem.id.startswith("accounts.E")]
    setattr(settings, name, value)
    (problem,) = [problem for problem in run_checks() if problem.id.startswith("accounts.E")]
    assert problem.id == identity
    assert f"PARLANCE_{name}" in problem.msg


def test_what_a_refused_grant_says_holds_no_secret(people, caplog):
    secret = f"very-secret-{uuid.uuid4().hex}"
    body = json.dumps([post(**{**GOOD, "password": secret}).json(), post(**{**GOOD, "refresh_token": secret}).json()])
    rows = str(list(AuditEntry.objects.values("details", "before", "after")))
    assert secret not in body + rows + caplog.text


def test_keys_of_realms_open_after_the_master_key_was_rotated(acme, settings):
    kid = keys.signing_key(acme)[0]
    newer = base64.b64encode(b"n" * 32).decode()
    settings.MASTER_KEYS = f"newer:{newer},{settings.MASTER_KEYS}"
    try:
        keyring.cache_clear()
        acme.wrapped_data_key = keyring().wrap(data_key(acme), acme.pk.bytes)
        settings.MASTER_KEYS = f"newer:{newer}"
        keyring.cache_clear()
        keys.forget()
        assert keys.signing_key(acme)[0] == kid
    finally:
        keyring.cache_clear()

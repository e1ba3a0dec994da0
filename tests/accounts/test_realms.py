"""The identity facade (offline-task API, sections 1 and 2): tokens, renewal, documents, errors."""

import base64
import hmac
import json
import time
import uuid
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from django.test import Client
from django.utils import timezone

from accounts.passwords import set_by_admin
from accounts.realms import keys, tokens
from accounts.realms.access import BearerRefused, authenticate
from accounts.realms.models import RealmKey, RealmSession, RealmSetting
from accounts.security_models import TenantSignIn
from audit.models import AuditEntry
from tests.accounts.signing_in import code_of, with_authenticator
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
GOOD = {"grant_type": "password", "client_id": "Browser_client", "username": "ada", "password": PASSWORD}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def realm(acme, system):
    """Acme and System offer the API."""
    keys.forget()
    for tenant in (acme, system):
        RealmSetting.objects.create(tenant=tenant, enabled=True)
    yield
    keys.forget()


def post(path="token", realm="acme", body=None, **form):
    address = f"/realms/{realm}/protocol/openid-connect/{path}"
    if body is None:
        body = "&".join(f"{name}={value}" for name, value in form.items() if value is not None)
    return Client().post(address, body, content_type=FORM)


def granted(realm="acme", **changes):
    answer = post(realm=realm, **{**GOOD, **changes})
    assert answer.status_code == 200, answer.content
    return answer.json()


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def alive(token):
    try:
        return authenticate(f"Bearer {token}").user.username
    except BearerRefused:
        return None


def test_a_password_gets_a_pair_of_tokens_as_the_contract_prints_them(people):
    answer = post(**GOOD)
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    assert {name: body[name] for name in ("expires_in", "refresh_expires_in", "token_type", "scope")} == {
        "expires_in": 300,
        "refresh_expires_in": 1800,
        "token_type": "Bearer",
        "scope": "profile email",
    }
    assert body["not-before-policy"] == 0
    said = claims(body["access_token"])
    assert said["iss"] == "http://localhost:8000/realms/acme"
    assert said["exp"] - said["iat"] == 300
    wanted = {"typ": "Bearer", "azp": "browser_client", "aud": "account", "acr": "1", "tenant": "acme"}
    assert {name: said[name] for name in wanted} == wanted
    assert said["preferred_username"] == "ada"
    assert said["sid"] == said["session_state"] == body["session_state"]
    assert set(jwt.get_unverified_header(body["access_token"])) == {"alg", "typ", "kid"}
    assert alive(body["access_token"]) == "ada"
    assert "id_token" not in body
    assert "id_token" in granted(scope="openid")
    entry = AuditEntry.objects.filter(action="user.signed_in").latest("pk")
    assert (entry.actor, entry.details["method"]) == ("ada@acme", "realm")


def test_names_are_compared_as_at_the_sign_in_page_and_an_address_names_one_active_user(people):
    people.tenant_admin.email = "Ada@acme.example"
    people.tenant_admin.save()
    assert alive(granted(username="ADA")["access_token"]) == "ada"
    assert alive(granted(username="ada%40ACME.example")["access_token"]) == "ada"
    people.agent.email = "ada@acme.example"
    people.agent.save()
    assert post(**{**GOOD, "username": "ada%40acme.example"}).status_code == 401
    assert post(realm="master", **GOOD).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status", "error", "description"),
    [
        ({"grant_type": None}, 400, "invalid_request", "Missing form parameter: grant_type"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type", "Unsupported grant_type"),
        ({"client_id": None}, 401, "invalid_client", "Invalid client or Invalid client credentials"),
        ({"client_id": "other"}, 401, "invalid_client", "Invalid client or Invalid client credentials"),
        ({"username": None}, 401, "invalid_request", "Missing parameter: username"),
        ({"username": "nobody"}, 401, "invalid_grant", "Invalid user credentials"),
        ({"password": "wrong"}, 401, "invalid_grant", "Invalid user credentials"),
        ({"password": None}, 401, "invalid_grant", "Invalid user credentials"),
        ({"password": "x" * 5000}, 400, "invalid_request", "Malformed parameter: password"),
        ({"username": "ada&username=ada"}, 400, "invalid_request", "duplicated parameter"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request", "No refresh token"),
        (
            {"grant_type": "refresh_token", "refresh_token": "x.y.z"},
            400,
            "invalid_grant",
            "Invalid refresh token",
        ),
    ],
)
def test_what_is_wrong_has_the_status_and_words_of_the_table(people, changes, status, error, description):
    answer = post(**{**GOOD, **changes})
    assert (answer.status_code, answer.json()) == (status, {"error": error, "error_description": description})


def test_the_checks_run_in_their_order(people):
    twice = {**GOOD, "username": "ada&username=ada", "grant_type": "x", "client_id": "y"}
    assert post(realm="nowhere", **twice).json() == {"error": "Realm does not exist"}
    assert post(**twice).json()["error"] == "unsupported_grant_type"
    assert post(**{**twice, "grant_type": "password"}).json()["error"] == "invalid_client"
    assert post(**{**twice, "grant_type": "password", "client_id": "browser_client"}).status_code == 400


def test_bad_credentials_have_the_status_of_newer_servers_by_setting(people, settings):
    settings.REALMS_ERRORS = "keycloak-26.6"
    answer = post(**{**GOOD, "password": "wrong"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_only_a_right_password_learns_of_the_state_of_an_account(people):
    people.tenant_admin.is_active = False
    people.tenant_admin.save()
    assert post(**GOOD).json() == {"error": "invalid_grant", "error_description": "Account disabled"}
    assert post(**{**GOOD, "password": "wrong"}).json()["error_description"] == "Invalid user credentials"
    people.tenant_admin.is_active = True
    people.tenant_admin.must_change_password = True
    people.tenant_admin.save()
    answer = post(**GOOD)
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Account is not fully set up")


def test_a_second_factor_is_asked_for_and_its_code_works_once(people, acme):
    TenantSignIn.objects.create(tenant=acme, require_second_factor=True)
    assert post(**GOOD).json()["error_description"] == "Account is not fully set up"
    secret, codes = with_authenticator(people.tenant_admin)
    refused = [post(**GOOD), post(**{**GOOD, "totp": "000000"}), post(**{**GOOD, "totp": codes[0]})]
    assert {(answer.status_code, answer.json()["error_description"]) for answer in refused} == {
        (401, "Invalid user credentials")
    }
    code = code_of(secret)
    assert post(**{**GOOD, "totp": code}).status_code == 200
    assert post(**{**GOOD, "totp": code}).status_code == 401


def test_an_account_that_is_guessed_at_is_locked_without_a_hint(people):
    for _number in range(11):
        post(**{**GOOD, "password": "wrong"})
    answer = post(**GOOD)
    assert (answer.status_code, answer.json()["error_description"]) == (401, "Invalid user credentials")


def test_without_the_api_a_tenant_is_an_unknown_realm_and_a_suspended_one_says_so(people, acme):
    RealmSetting.objects.update(local_sign_in=False)
    assert post(**GOOD).status_code == 404
    RealmSetting.objects.update(local_sign_in=True)
    acme.state = "suspended"
    acme.save()
    answer = post(**GOOD)
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "access_denied", "error_description": "Realm not enabled"},
    )
    RealmSetting.objects.update(enabled=False)
    assert (post(**GOOD).status_code, post(**GOOD).json()) == (404, {"error": "Realm does not exist"})


def test_plain_http_will_do_inside_alone(people, settings):
    address = "/realms/acme/protocol/openid-connect/token"
    body = "&".join(f"{name}={value}" for name, value in GOOD.items())
    outside = Client(REMOTE_ADDR="8.8.8.8").post(address, body, content_type=FORM)
    assert (outside.status_code, outside.json()["error_description"]) == (403, "HTTPS required")
    secure = Client(REMOTE_ADDR="8.8.8.8").post(address, body, content_type=FORM, secure=True)
    assert secure.status_code == 200
    settings.REALMS_TLS = "all"
    assert post(**GOOD).status_code == 403


def test_a_refresh_token_works_once_and_its_reuse_ends_the_session(people):
    first = granted()
    second = post(grant_type="refresh_token", client_id="browser_client", refresh_token=first["refresh_token"])
    assert second.status_code == 200
    assert alive(second.json()["access_token"]) == "ada"
    stolen = post(grant_type="refresh_token", client_id="browser_client", refresh_token=first["refresh_token"])
    assert (stolen.status_code, stolen.json()["error_description"]) == (400, "Invalid refresh token")
    assert alive(second.json()["access_token"]) is None
    assert alive(first["access_token"]) is None
    dead = post(grant_type="refresh_token", client_id="browser_client", refresh_token=second.json()["refresh_token"])
    assert (dead.status_code, dead.json()["error_description"]) == (400, "Token is not active")
    assert AuditEntry.objects.filter(action="realm.token_reused").count() == 1


def test_signing_out_ends_the_session(people):
    body = granted()
    wrong = post("logout", client_id="browser_client", refresh_token=body["access_token"])
    assert wrong.status_code == 400
    assert alive(body["access_token"]) == "ada"
    done = post("logout", client_id="browser_client", refresh_token=body["refresh_token"])
    assert (done.status_code, done.content) == (204, b"")
    assert alive(body["access_token"]) is None


def test_a_changed_password_a_disabled_user_or_a_suspended_tenant_ends_tokens_at_once(people, acme):
    token = granted()["access_token"]
    people.tenant_admin.is_active = False
    people.tenant_admin.save()
    assert alive(token) is None
    people.tenant_admin.is_active = True
    people.tenant_admin.save()
    assert alive(token) == "ada"
    acme.state = "suspended"
    acme.save()
    assert alive(token) is None
    acme.state = "ready"
    acme.save()
    assert alive(token) == "ada"
    set_by_admin(user=people.tenant_admin, password="another long password 77", actor="root")
    assert alive(token) is None
    assert RealmSession.objects.filter(ended_at=None).count() == 0


def test_tokens_that_are_not_ours_or_not_for_this_are_refused(people, globex):
    RealmSetting.objects.create(tenant=globex, enabled=True)
    body = granted()
    token = body["access_token"]
    said, header = claims(token), jwt.get_unverified_header(token)
    kid, private = keys.signing_key(people.tenant_admin.tenant)

    def signed(key=private, algorithm="RS256", headers=None, **changes):
        return jwt.encode({**said, **changes}, key, algorithm=algorithm, headers=headers or {"kid": kid})

    assert alive(signed()) == "ada"
    part = base64.urlsafe_b64encode(json.dumps({**header, "alg": "none"}).encode()).rstrip(b"=").decode()
    foreign = keys.signing_key(globex)
    now = int(time.time())
    bad = [
        f"{part}.{token.split('.')[1]}.",
        signed(key=foreign[1], headers={"kid": foreign[0]}),
        signed(key=foreign[1]),
        signed(headers={"kid": "../../x"}),
        signed(headers={"kid": kid, "crit": ["b64"], "b64": False}),
        signed(iss="http://localhost:8000/realms/globex"),
        signed(iss="http://elsewhere/realms/acme"),
        signed(aud="other"),
        signed(exp=now - 1),
        signed(exp="tomorrow"),
        signed(exp=10**30),
        signed(iat=now + 3600),
        signed(nbf=now + 3600),
        signed(typ="Refresh"),
        signed(sid=str(uuid.uuid4())),
        signed(sub=str(people.agent.pk)),
        body["refresh_token"],
        "x",
        "",
    ]
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, spki)
    part = base64.urlsafe_b64encode(json.dumps({**header, "alg": "HS256"}).encode()).rstrip(b"=").decode()
    forged = f"{part}.{token.split('.')[1]}"
    mark = base64.urlsafe_b64encode(hmac.digest(pem, forged.encode(), "sha256")).rstrip(b"=").decode()
    bad.append(f"{forged}.{mark}")
    assert [alive(one) for one in bad] == [None] * len(bad)


def test_a_new_key_signs_and_tokens_of_the_old_one_stay_valid(people, acme):
    before = granted()["access_token"]
    keys.rotate(tenant=acme, actor="root")
    after = granted()["access_token"]
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    assert [alive(before), alive(after)] == ["ada", "ada"]
    published = Client().get("/realms/acme/protocol/openid-connect/certs").json()["keys"]
    assert published[0]["kid"] == jwt.get_unverified_header(after)["kid"]
    assert set(published[0]) == {"kid", "kty", "alg", "use", "n", "e"}
    for token in (before, after):
        key = next(key for key in published if key["kid"] == jwt.get_unverified_header(token)["kid"])
        assert jwt.decode(token, jwt.PyJWK(key).key, algorithms=["RS256"], audience="account")["tenant"] == "acme"
    RealmKey.objects.filter(retired_at=None).update(created_at=timezone.now() - timedelta(days=91))
    assert keys.rotate_old() == 1
    assert keys.rotate_old() == 0


def test_discovery_names_what_tokens_say_and_old_prefixes_and_slashes_lead_there(people):
    page = Client().get("/realms/acme/.well-known/openid-configuration").json()
    assert page["issuer"] == claims(granted()["access_token"])["iss"]
    assert page["token_endpoint"].startswith(page["issuer"])
    for address in (
        "/auth/realms/acme/.well-known/openid-configuration/",
        "/realms/acme/.well-known/openid-configuration",
    ):
        assert Client().get(address).json() == page
    body = "&".join(f"{name}={value}" for name, value in GOOD.items())
    slash = Client().post("/auth/realms/acme/protocol/openid-connect/token/", body, content_type=FORM)
    assert slash.status_code == 200
    assert Client().get("/realms/acme").json()["realm"] == "acme"
    assert Client().get("/realms/acme/protocol/openid-connect/auth").status_code == 501
    wrong = Client().get("/realms/acme/protocol/openid-connect/token")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")


def test_userinfo_tells_who_one_is_in_the_own_realm_alone(people):
    token = granted()["access_token"]
    address = "/realms/{}/protocol/openid-connect/userinfo"
    mine = Client().get(address.format("acme"), headers={"Authorization": f"bearer {token}"})
    assert mine.json()["sub"] == str(people.tenant_admin.pk)
    other = Client().get(address.format("master"), headers={"Authorization": f"Bearer {token}"})
    assert other.status_code == 401
    assert other.headers["WWW-Authenticate"] == 'Bearer realm="master", error="invalid_token"'


def test_secrets_in_the_address_are_refused(people):
    address = f"/realms/acme/protocol/openid-connect/token?username=ada&password={PASSWORD}"
    answer = Client().post(address, "grant_type=password&client_id=browser_client", content_type=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_pages_of_listed_origins_may_read_answers_and_no_others(people):
    RealmSetting.objects.update(cors_origins=["https://app.acme.example"])
    address = "/realms/acme/protocol/openid-connect/token"
    for origin, expected in (("https://app.acme.example", "https://app.acme.example"), ("https://evil.example", None)):
        answer = Client().options(address, headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == expected
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_session_of_the_pages_is_no_token_and_a_token_no_session(people, client_for):
    assert alive("") is None
    token = granted()["access_token"]
    page = Client().get("/calls/", headers={"Authorization": f"Bearer {token}"})
    assert page.status_code == 302
    info = client_for(people.tenant_admin).get("/realms/acme/protocol/openid-connect/userinfo")
    assert info.status_code == 401


def test_names_of_realms_that_cannot_be_are_unknown():
    for name in ("%00", "x" * 300, "..", "ac/me", "public", "system"):
        assert Client().get(f"/realms/{name}/protocol/openid-connect/certs").status_code in (400, 404)
    assert tokens.MASTER == "master"

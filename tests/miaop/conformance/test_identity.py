"""T03–T08, T25: signing in and renewing by real clients against the running stack."""

import json
import subprocess
import time

import jwt
import pytest

from tests.accounts.issuer import signed, signed_with_the_public_key, unsigned
from tests.miaop.conformance.conftest import run_script
from tests.miaop.conformance.world import PASSWORD

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("miaop conformance")]
TOKEN = "/realms/acme/protocol/openid-connect/token"


def curl(*arguments: str) -> tuple[int, dict]:
    """Status and JSON of one call."""
    line = ["curl", "-s", "--noproxy", "*", "-w", "\n%{http_code}", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True)
    body, _newline, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else {}


def test_t03_wrong_password_unknown_user_and_no_password_are_answered_alike(site):
    address, client = site.base + TOKEN, ("-d", "client_id=browser_client", "-d", "grant_type=password")
    answers = [
        curl(address, *client, "-d", "username=kit", "-d", "password=wrong"),
        curl(address, *client, "-d", "username=nobody", "-d", "password=wrong"),
        curl(address, *client, "-d", "username=kit"),
    ]
    assert answers == [(401, {"error": "invalid_grant", "error_description": "Invalid user credentials"})] * 3
    good = ("-d", "username=kit", "--data-urlencode", f"password={PASSWORD}")
    assert curl(address, *client, *good)[0] == 200


def test_t03_in_the_mode_of_newer_servers_the_same_body_comes_with_400_and_tokens_need_no_mapper(site):
    wrong = [{"password": "wrong"}, {"username": "nobody"}, {"password": None}]
    answers = [site.grant("ira", at=site.newer, **form) for form in wrong]
    body = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(400, body)] * 3
    good = site.grant("ira", at=site.newer)
    assert good.status_code == 200
    token = good.json()["access_token"]
    # Newer servers put an audience into tokens only where somebody configured it; here it is as it always was.
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "account"
    assert site.called(token) == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"username": None}, 401, "invalid_request"),
        ({"username": ["kit", "kit"]}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "a.b.c"}, 400, "invalid_grant"),
        ({"realm": "nowhere"}, 404, "Realm does not exist"),
        ({"realm": "initech"}, 404, "Realm does not exist"),
    ],
)
def test_t04_the_table_of_errors(site, form, status, error):
    answer = site.grant("kit", **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_t05_a_refresh_token_is_good_once_and_logging_out_ends_the_access_token(site):
    first = site.grant("kit").json()

    def renewed(token: str):
        form = {"grant_type": "refresh_token", "client_id": "browser_client", "refresh_token": token}
        return site.http.post(TOKEN, data=form)

    second = renewed(first["refresh_token"])
    assert second.status_code == 200
    assert renewed(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert renewed(second.json()["refresh_token"]).json()["error"] == "invalid_grant"
    third = site.grant("kit").json()
    header = {"Authorization": f"Bearer {third['access_token']}"}
    assert site.http.get("/api/tasks", headers=header).status_code == 200
    form = {"client_id": "browser_client", "refresh_token": third["refresh_token"]}
    assert site.http.post("/realms/acme/protocol/openid-connect/logout", data=form).status_code == 204
    assert site.http.get("/api/tasks", headers=header).status_code == 401


def test_t06_a_token_is_verified_by_nodes_own_cryptography(site, tmp_path):
    token = site.grant("kit").json()["access_token"]
    done = run_script(site, tmp_path, "verify.mjs", TOKEN=token)
    found = json.loads(done.stdout or done.stderr)
    assert found == {"good": True, "alg": "RS256", "issuer": found["iss"], "iss": f"{site.base}/realms/acme"}
    head, body, signature = token.split(".")
    forged = ".".join((head, body, signature[:-8] + "AAAAAAAA"))
    assert json.loads(run_script(site, tmp_path, "verify.mjs", TOKEN=forged).stdout)["good"] is False


def test_t06_a_rotated_key_stays_in_the_list_and_what_it_signed_stays_good(site, tmp_path):
    def listed() -> list[str]:
        return [key["kid"] for key in site.http.get("/realms/acme/protocol/openid-connect/certs").json()["keys"]]

    before, kids = site.grant("kit").json()["access_token"], listed()
    tab = f"/administration/user-management/tenants/{site.acme[0]}/offline-tasks/"
    assert site.pages.post(f"{tab}rotate/").status_code == 302
    after = site.grant("kit").json()["access_token"]
    new = jwt.get_unverified_header(after)["kid"]
    assert listed() == [new, *kids]
    assert jwt.get_unverified_header(before)["kid"] == kids[0] != new
    for token in (before, after):
        assert site.called(token) == 200
        assert json.loads(run_script(site, tmp_path, "verify.mjs", TOKEN=token).stdout)["good"] is True
    # The signature of one under the name of the other.
    mixed = ".".join((after.split(".")[0], *before.split(".")[1:]))
    assert site.called(mixed) == 401


def test_t07_an_issuer_outside_vouches_for_users_and_nothing_else_passes_for_it(site):
    now, good = int(time.time()), signed(site.issuer, preferred_username="kit")
    assert site.called(good) == 200
    bad = {
        "wrong issuer": signed(site.issuer, preferred_username="kit", iss="https://elsewhere.example/realm"),
        "wrong azp": signed(site.issuer, preferred_username="kit", azp="other"),
        "alg none": unsigned(good),
        "HS256 with the public key": signed_with_the_public_key(site.issuer, good),
        "expired": signed(site.issuer, preferred_username="kit", exp=now - 60),
        "unknown kid": signed(site.issuer, preferred_username="kit", kid="key-2"),
        "a refresh token": signed(site.issuer, preferred_username="kit", typ="Refresh"),
        "unknown user": signed(site.issuer, preferred_username="nobody"),
        "a user of another tenant": signed(site.issuer, preferred_username="stan"),
    }
    assert {what: site.called(token) for what, token in bad.items()} == dict.fromkeys(bad, 401)
    assert site.called(good) == 200


def test_t08_old_prefix_and_slashes_reach_the_same(site):
    client = ("-d", "client_id=Browser_client", "-d", "grant_type=password")
    good = (*client, "-d", "username=kit", "--data-urlencode", f"password={PASSWORD}")
    for path in ("/auth" + TOKEN, TOKEN + "/", "/auth" + TOKEN + "/"):
        assert curl(site.base + path, *good)[0] == 200, path
    bodies = [site.get(path, user="kit").content for path in ("/api/tasks", "/api/tasks/")]
    assert bodies[0] == bodies[1]


def test_t25_cookies_of_the_pages_open_no_api_and_tokens_open_no_pages(site):
    with_cookie = {"Cookie": f"sessionid={site.pages.session}"}
    assert site.http.get("/calls/", headers=with_cookie).status_code == 200
    answer = site.http.get("/api/tasks", headers=with_cookie)
    assert (answer.status_code, answer.json()["error"]["name"]) == (401, "UnauthorizedError")
    for path in ("/calls/", "/administration/user-management/users/"):
        assert site.http.get(path, headers=site.bearer("kit")).status_code in (302, 401)

"""The identity facade (section 2 of the contract) and who is let in (section 3)."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import httpx2
import jwt

from stack.miaop_client.checks.probe import Check, Probe
from stack.miaop_client.server import CLIENT

REALM_TYPES: dict[str, Any] = {
    "realm": str,
    "public_key": str,
    "token-service": str,
    "account-service": str,
    "tokens-not-before": int,
}
DISCOVERY_TEXTS = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "end_session_endpoint",
    "jwks_uri",
)
DISCOVERY_LISTS = (
    "grant_types_supported",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "scopes_supported",
    "claims_supported",
    "code_challenge_methods_supported",
)
TOKEN_TYPES: dict[str, Any] = {
    "access_token": str,
    "expires_in": int,
    "refresh_expires_in": int,
    "refresh_token": str,
    "token_type": str,
    "not-before-policy": int,
    "session_state": str,
    "scope": str,
}
CLAIM_TYPES: dict[str, Any] = {
    **dict.fromkeys(("exp", "iat"), int),
    **dict.fromkeys(("jti", "iss", "sub", "typ", "azp", "sid", "session_state", "acr", "scope"), str),
    **dict.fromkeys(("preferred_username", "email", "name", "given_name", "family_name"), str),
    "allowed-origins": list,
    "realm_access": dict,
    "resource_access": dict,
    "email_verified": bool,
}


def realm_address(probe: Probe, rest: str = "") -> str:
    """Where the realm stands."""
    return probe.server.connect("").removesuffix("/protocol/openid-connect/") + rest


def _discovery(probe: Probe) -> dict[str, Any]:
    answer = probe.server.send("GET", realm_address(probe, "/.well-known/openid-configuration"))
    probe.status(answer, 200, "discovery")
    found = probe.body(answer, "discovery")
    return found if isinstance(found, dict) else {}


def documents(probe: Probe) -> None:
    """E7, E8, E11."""
    found = _discovery(probe)
    probe.members(found, dict.fromkeys(DISCOVERY_TEXTS, str) | dict.fromkeys(DISCOVERY_LISTS, list), "discovery")
    grants = found.get("grant_types_supported") or []
    probe.expect({"password", "refresh_token"} <= set(grants), "discovery: both grants must be listed")
    answer = probe.server.send("GET", realm_address(probe))
    if probe.status(answer, 200, "realm page"):
        probe.members(probe.body(answer, "realm page"), REALM_TYPES, "realm page")
    unserved = probe.server.send("GET", probe.server.connect("auth"))
    probe.status(unserved, 501, "authorization endpoint")


def signature(probe: Probe) -> None:
    """E7 → E8 → the signature of a token; R2.5."""
    issuer = _discovery(probe).get("issuer")
    answer = probe.server.send("GET", probe.server.connect("certs"))
    keys = probe.body(answer, "certs")
    if not probe.members(keys, {"keys": list}, "certs"):
        return
    for key in keys["keys"]:
        probe.members(key, dict.fromkeys(("kid", "kty", "alg", "use", "n", "e"), str), "a key of certs")
    token = str(probe.tokens()["access_token"])
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        found = jwt.PyJWKSet.from_dict(keys)[str(kid)]
        claims = jwt.decode(token, found.key, algorithms=["RS256"], audience="account")
    except (jwt.PyJWTError, KeyError) as error:
        probe.expect(False, f"the access token cannot be verified with the keys of certs: {type(error).__name__}")
        return
    probe.expect(claims.get("iss") == issuer, "iss of the token is not the issuer of discovery")


def token_answer(probe: Probe) -> None:
    """2.2, R2.1, R2.4."""
    answer = probe.connect(**probe.password_form(scope="openid"))
    if not probe.status(answer, 200, "sign-in"):
        return
    probe.expect(answer.headers.get("Pragma") == "no-cache", "sign-in: Pragma: no-cache is missing")
    body = probe.body(answer, "sign-in")
    if not probe.members(body, TOKEN_TYPES | {"id_token": str}, "sign-in with scope openid"):
        return
    probe.expect(body["token_type"] == "Bearer", "sign-in: token_type is not Bearer")
    try:
        header = jwt.get_unverified_header(body["access_token"])
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    except jwt.PyJWTError:
        probe.expect(False, "access_token is no JWT")
        return
    probe.expect(header.get("alg") == "RS256" and "kid" in header, "access token: header is not RS256 with kid")
    probe.members(claims, CLAIM_TYPES, "access token")
    fixed = {"aud": "account", "typ": "Bearer", "azp": CLIENT, "acr": "1", "sid": body["session_state"]}
    for name, value in fixed.items():
        probe.expect(claims.get(name) == value, f"access token: {name} is not {value}")
    lifetime = claims.get("exp", 0) - claims.get("iat", 0)
    probe.expect(lifetime == body["expires_in"], "access token: exp - iat is not expires_in")
    other = probe.connect(**probe.password_form(client_id="Browser_client"))
    if probe.status(other, 200, "sign-in with client_id Browser_client"):
        probe.expect("id_token" not in other.json(), "sign-in without scope openid: there is an id_token")


def bad_credentials(probe: Probe) -> None:
    """T03: nobody learns whether the name or the password was wrong."""
    wrong = probe.connect(**probe.password_form(password=f"wrong {uuid.uuid4()}"))
    unknown = probe.connect(**probe.password_form(username=f"nobody-{uuid.uuid4().hex}"))
    # Signing in clears what lock-outs have counted.
    probe.tokens()
    for answer, what in ((wrong, "wrong password"), (unknown, "unknown user")):
        probe.expect(answer.status_code in (400, 401), f"{what}: status {answer.status_code}, expected 401 (or 400)")
        body = probe.body(answer, what)
        expected = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
        probe.expect(body == expected, f"{what}: the body is not {json.dumps(expected)}")
    probe.expect(wrong.status_code == unknown.status_code, "wrong password and unknown user differ in status")


ROWS: tuple[tuple[str, dict[str, str | None], int, str], ...] = (
    ("no grant_type", {"grant_type": None}, 400, "invalid_request"),
    ("another grant_type", {"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
    ("no client_id", {"client_id": None}, 401, "invalid_client"),
    ("an unknown client_id", {"client_id": "nobody"}, 401, "invalid_client"),
    ("no username", {"username": None}, 401, "invalid_request"),
    ("no refresh_token", {"grant_type": "refresh_token"}, 400, "invalid_request"),
    ("a malformed refresh_token", {"grant_type": "refresh_token", "refresh_token": "a.b.c"}, 400, "invalid_grant"),
)


def error_table(probe: Probe) -> None:
    """T04: the rows of 2.3 that anybody can bring about."""
    for what, changes, status, error in ROWS:
        wanted = {**probe.password_form(), **changes}
        answer = probe.connect(**{name: value for name, value in wanted.items() if value is not None})
        _facade_error(probe, answer, status, error, what)
    good = probe.password_form()
    twice = probe.server.send("POST", probe.server.connect("token"), data={**good, "username": [good["username"]] * 2})
    _facade_error(probe, twice, 400, "invalid_request", "username twice")
    nowhere = realm_address(probe).rsplit("/", 1)[0] + f"/no-{uuid.uuid4().hex[:12]}/protocol/openid-connect/token"
    _facade_error(probe, probe.server.send("POST", nowhere, data=good), 404, "Realm does not exist", "unknown realm")
    answer = probe.server.send("POST", probe.server.connect("token"), json=good)
    probe.status(answer, 415, "a sign-in as JSON")
    answer = probe.server.send("GET", probe.server.connect("token"))
    if probe.status(answer, 405, "GET of the token endpoint"):
        probe.expect("POST" in answer.headers.get("Allow", ""), "GET of the token endpoint: Allow does not name POST")


def _facade_error(probe: Probe, answer: httpx2.Response, status: int, error: str, what: str) -> None:
    if probe.status(answer, status, what):
        body = probe.body(answer, what)
        said = body.get("error") if isinstance(body, dict) else None
        probe.expect(said == error, f"{what}: error is {said!r}, expected {error!r}")


def sessions(probe: Probe) -> None:
    """T05, R2.6."""
    first = probe.tokens()
    renewed = probe.connect(grant_type="refresh_token", client_id=CLIENT, refresh_token=first["refresh_token"])
    if not probe.status(renewed, 200, "renewal"):
        return
    second = renewed.json()
    again = probe.connect(grant_type="refresh_token", client_id=CLIENT, refresh_token=first["refresh_token"])
    _facade_error(probe, again, 400, "invalid_grant", "a refresh token used twice")
    dead = probe.connect(grant_type="refresh_token", client_id=CLIENT, refresh_token=second["refresh_token"])
    _facade_error(probe, dead, 400, "invalid_grant", "the session after a refresh token was used twice")
    third = probe.tokens()
    userinfo = probe.server.connect("userinfo")
    bearer = {"Authorization": f"Bearer {third['access_token']}"}
    answer = probe.server.send("GET", userinfo, headers=bearer)
    if probe.status(answer, 200, "userinfo"):
        members = ("sub", "preferred_username", "email", "name", "given_name", "family_name")
        probe.members(
            probe.body(answer, "userinfo"), dict.fromkeys(members, str) | {"email_verified": bool}, "userinfo"
        )
    ended = probe.connect("logout", client_id=CLIENT, refresh_token=third["refresh_token"])
    probe.status(ended, 204, "logout")
    deadline = probe.pace.clock() + 30
    while (answer := probe.server.send("GET", userinfo, headers=bearer)).status_code == 200:
        if probe.pace.clock() > deadline:
            break
        probe.pace.pause(1.0)
    probe.status(answer, 401, "the access token 30 s after the logout")


def aliases(probe: Probe) -> None:
    """R1.2, T08: /auth and a slash at the end."""
    form = probe.password_form()
    plain = probe.server.connect("token")
    old = plain.replace("/realms/", "/auth/realms/", 1)
    for address, what in ((old, "/auth/realms"), (plain + "/", "a slash at the end")):
        probe.status(probe.server.send("POST", address, data=form), 200, f"sign-in at {what}")
    for path in ("/api/tasks", "/api/tasks/"):
        probe.status(probe.get(path, filter='{"taskId":"none"}'), 200, f"GET {path}")


def doors(probe: Probe) -> None:
    """R3.1, T25."""
    good = probe.tokens()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    none = f"{unsigned}.{good['access_token'].split('.')[1]}."
    tampered = good["access_token"][:-6] + "AAAAAA"
    refused: tuple[tuple[str, str | None], ...] = (
        ("no token", None),
        ("a malformed header", "Bearer"),
        ("Basic", "Basic YTpi"),
        ("rubbish", "Bearer rubbish"),
        ("a refresh token", f"Bearer {good['refresh_token']}"),
        ("an unsigned token", f"Bearer {none}"),
        ("a token with another signature", f"Bearer {tampered}"),
    )
    for path in ("/api/tasks", "/api/meetings/1.x", "/api/stt/1.x/0"):
        for what, header in refused[:1] if path != "/api/tasks" else refused:
            answer = probe.bare("GET", path, header)
            probe.refused(answer, 401, f"GET {path} with {what}")
            challenge = answer.headers.get("WWW-Authenticate", "")
            good_challenge = challenge.startswith("Bearer ") and 'error="invalid_token"' in challenge
            probe.expect(good_challenge, f"GET {path} with {what}: WWW-Authenticate is {challenge!r}")
    probe.status(probe.bare("GET", "/api/tasks", f"bearer {good['access_token']}"), 200, "bearer in lower case")
    probe.refused(probe.bare("POST", "/hrec", None), 401, "POST /hrec without a token")
    answer = probe.bare("DELETE", "/api/tasks", f"Bearer {good['access_token']}")
    probe.refused(answer, 405, "DELETE /api/tasks")


IDENTITY = (
    Check("E7 E11", "documents of the realm", documents),
    Check("T06 E8 R2.5", "a token can be verified with the published keys", signature),
    Check("R2.1 R2.4", "a sign-in is answered with the tokens of section 2.2", token_answer),
    Check("T03", "bad credentials say nothing about the user", bad_credentials),
    Check("T04", "the error table of section 2.3", error_table),
    Check("T05 E9 E10", "refresh tokens are good once, logging out ends the session", sessions),
    Check("T08 R1.2", "/auth and slashes at the end", aliases),
    Check("R3.1 T25", "only access tokens open the API", doors),
)

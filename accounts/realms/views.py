"""The identity facade: token, logout, userinfo and the documents about a realm, as clients of Keycloak know them."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from accounts.lockout import TooManyAttempts
from accounts.passwords import MAX_LENGTH
from accounts.realms import services, tokens
from accounts.realms.access import BearerRefused, authenticate, tls_missing
from accounts.realms.answers import NO_REALM, Refusal, answer, with_cors
from accounts.realms.keys import public_keys, signing_key
from accounts.realms.models import RealmSetting
from accounts.realms.services import Granted, GrantRefused
from accounts.signin.services import tenant_named
from core.policy import public
from tenants.models import Tenant

logger = logging.getLogger(__name__)
FORM = "application/x-www-form-urlencoded"
# What belongs into the body alone: addresses are written into logs (hostile 3B6).
SECRETS = ("username", "password", "totp", "refresh_token", "client_secret", "grant_type")
CLASSIC, KEYCLOAK_26_6 = "classic", "keycloak-26.6"
GRANTS = ("password", "refresh_token")


@dataclass(frozen=True, slots=True)
class Realm:
    """A tenant that offers the API, and how."""

    tenant: Tenant
    setting: RealmSetting

    @property
    def base(self) -> str:
        """Where its endpoints stand."""
        return tokens.issuer_of(self.tenant)


Handler = Callable[[HttpRequest, Realm], HttpResponse]


def facade(*methods: str) -> Callable[[Handler], Callable[..., HttpResponse]]:
    """A public endpoint of a realm: TLS, then the realm, then the method; what is refused is JSON of the contract."""

    def decorate(handler: Handler) -> Callable[..., HttpResponse]:
        @wraps(handler)
        def view(request: HttpRequest, realm: str) -> HttpResponse:
            origins: list[str] = []
            try:
                if tls_missing(request):
                    raise Refusal(403, "invalid_request", "HTTPS required")
                found = realm_named(realm)
                origins = found.setting.cors_origins
                response = _in_method(request, found, handler, methods)
            except Refusal as refusal:
                response = refusal.answer()
            except TooManyAttempts as error:
                retry = {"Retry-After": str(error.retry_after)}
                response = Refusal(429, "temporarily_unavailable", headers=retry).answer()
            except (InterfaceError, OperationalError):
                logger.exception("The database failed a call of the identity facade")
                response = Refusal(503, "temporarily_unavailable", headers={"Retry-After": "10"}).answer()
            return with_cors(request, response, origins, ", ".join(methods))

        return public(csrf_exempt(view))

    return decorate


def _in_method(request: HttpRequest, realm: Realm, handler: Handler, methods: tuple[str, ...]) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": ", ".join((*methods, "OPTIONS"))})
    if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
        raise Refusal(405, "invalid_request", "Method not allowed", {"Allow": ", ".join(methods)})
    return handler(request, realm)


def realm_named(name: str) -> Realm:
    """The realm. Raises Refusal: 404 for one that does not exist or has the API off, 403 for a suspended tenant."""
    tenant = tenant_named(name) if len(name) <= 40 and "\x00" not in name else None
    if tenant is None or tokens.realm_of(tenant) != name.lower():
        raise Refusal(404, NO_REALM)
    setting = RealmSetting.objects.filter(tenant=tenant, enabled=True).first()
    if setting is None or tenant.state in (Tenant.State.NEW, Tenant.State.CLOSED, Tenant.State.DELETED):
        raise Refusal(404, NO_REALM)
    if tenant.state != Tenant.State.READY:
        raise Refusal(403, "access_denied", "Realm not enabled")
    return Realm(tenant, setting)


@facade("POST")
def token(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E1. The checks run in the order of R2.3."""
    if not realm.setting.local_sign_in:
        raise Refusal(404, NO_REALM)
    form = _form(request)
    grant = form.get("grant_type", "")
    if not grant:
        raise Refusal(400, "invalid_request", "Missing form parameter: grant_type")
    if grant not in GRANTS:
        raise Refusal(400, "unsupported_grant_type", "Unsupported grant_type")
    client = _client(form)
    _need_single(form)
    try:
        granted = _by_password(form, realm, client) if grant == "password" else _renewed(form, realm, client)
    except GrantRefused as error:
        classic = settings.REALMS_ERRORS != KEYCLOAK_26_6
        status = 401 if error.credentials and classic else 400
        raise Refusal(status, "invalid_grant", error.description) from error
    return answer(_token_body(granted))


@facade("POST")
def logout(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E10."""
    form = _form(request)
    client = _client(form)
    _need_single(form)
    if not form.get("refresh_token"):
        raise Refusal(400, "invalid_request", "No refresh token")
    try:
        services.sign_out(tenant=realm.tenant, client=client, token=form.get("refresh_token", ""))
    except GrantRefused as error:
        raise Refusal(400, "invalid_grant", error.description) from error
    return HttpResponse(status=204, headers={"Cache-Control": "no-store"})


@facade("GET", "POST")
def userinfo(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E9."""
    try:
        caller = authenticate(request.headers.get("Authorization", ""))
    except BearerRefused as error:
        if error.several:
            raise Refusal(400, "invalid_request", "More than one Authorization header") from error
        caller = None
    if caller is None or caller.tenant.pk != realm.tenant.pk:
        name = tokens.realm_of(realm.tenant)
        challenge = {"WWW-Authenticate": f'Bearer realm="{name}", error="invalid_token"'}
        raise Refusal(401, "invalid_token", "Token verification failed", challenge)
    return answer({"sub": str(caller.user.pk)} | tokens.profile_of(caller.user))


@facade("GET")
def certs(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E8."""
    # There is a key from the first look on: a client may fetch the keys before it signs in.
    signing_key(realm.tenant)
    return answer({"keys": public_keys(realm.tenant)})


@facade("GET")
def discovery(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E7."""
    connect = f"{realm.base}/protocol/openid-connect"
    return answer(
        {
            "issuer": realm.base,
            "authorization_endpoint": f"{connect}/auth",
            "token_endpoint": f"{connect}/token",
            "introspection_endpoint": f"{connect}/token/introspect",
            "userinfo_endpoint": f"{connect}/userinfo",
            "end_session_endpoint": f"{connect}/logout",
            "jwks_uri": f"{connect}/certs",
            "grant_types_supported": list(GRANTS),
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [tokens.ALGORITHM],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": list(services.SCOPES),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "name", "preferred_username", "email"],
            "code_challenge_methods_supported": [],
        }
    )


@facade("GET")
def realm_page(request: HttpRequest, realm: Realm) -> HttpResponse:
    """E11."""
    _kid, private = signing_key(realm.tenant)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
    return answer(
        {
            "realm": tokens.realm_of(realm.tenant),
            "public_key": "".join(pem.splitlines()[1:-1]),
            "token-service": f"{realm.base}/protocol/openid-connect",
            "account-service": f"{realm.base}/account",
            "tokens-not-before": 0,
        }
    )


@facade("GET", "POST")
def not_served(request: HttpRequest, realm: Realm) -> HttpResponse:
    """What discovery has to name and we do not offer (2.4)."""
    raise Refusal(501, "not_implemented", "This server issues tokens for passwords and refresh tokens only")


def _form(request: HttpRequest) -> QueryDict:
    if request.content_type != FORM:
        raise Refusal(415, "invalid_request", f"Content-Type must be {FORM}")
    if any(name in request.GET for name in SECRETS):
        raise Refusal(400, "invalid_request", "Form parameters belong into the body")
    try:
        return request.POST
    except (RequestDataTooBig, TooManyFieldsSent, SuspiciousOperation) as error:
        raise Refusal(400, "invalid_request", "The form is too large") from error


def _client(form: QueryDict) -> str:
    """The one client there is, built in and public; a secret that is sent for it is ignored (R2.1)."""
    if form.get("client_id", "").lower() != tokens.CLIENT:
        raise Refusal(401, "invalid_client", "Invalid client or Invalid client credentials")
    return tokens.CLIENT


def _need_single(form: QueryDict) -> None:
    if any(len(values) > 1 for _name, values in form.lists()):
        raise Refusal(400, "invalid_request", "duplicated parameter")


def _by_password(form: QueryDict, realm: Realm, client: str) -> Granted:
    username, password = form.get("username", ""), form.get("password", "")
    if not username:
        raise Refusal(401, "invalid_request", "Missing parameter: username")
    # No stored password or name is such; refused before anything is computed (hostile 3B7).
    for name, value in (("username", username), ("password", password)):
        if "\x00" in value or len(value) > MAX_LENGTH:
            raise Refusal(400, "invalid_request", f"Malformed parameter: {name}")
    return services.by_password(
        tenant=realm.tenant,
        setting=realm.setting,
        client=client,
        username=username,
        password=password,
        code=form.get("totp", "")[:40],
        scope=form.get("scope", "")[:200],
    )


def _renewed(form: QueryDict, realm: Realm, client: str) -> Granted:
    if not form.get("refresh_token"):
        raise Refusal(400, "invalid_request", "No refresh token")
    return services.by_refresh_token(
        tenant=realm.tenant, setting=realm.setting, client=client, token=form.get("refresh_token", "")
    )


def _token_body(granted: Granted) -> dict[str, Any]:
    """2.2."""
    body: dict[str, Any] = {
        "access_token": granted.access,
        "expires_in": granted.access_seconds,
        "refresh_expires_in": granted.refresh_seconds,
        "refresh_token": granted.refresh,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "session_state": str(granted.session.id),
        "scope": granted.session.scope,
    }
    return body | ({"id_token": granted.identity} if granted.identity else {})

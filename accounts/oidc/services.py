"""Single sign-on: the settings of a tenant, the way to the provider, and who came back from it."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Role, User
from accounts.oidc import provider, tokens
from accounts.permissions import ALL_CODES
from accounts.roles.services import demand_grantable
from accounts.security_models import LinkedIdentity, TenantSignIn
from accounts.services import create_user, key_of, role_for
from audit.models import AuditEntry
from audit.rivals import field_words, whose_change
from audit.services import SECRET, append, changes
from core.crypto import open_sealed, seal
from core.errors import Conflict, InvalidInput, NotAllowed
from core.logs import client_ip
from core.names import name_problem
from core.outbound import AddressRefused, CheckedUrl, OutboundPolicy, check_url
from core.validation import cleaned
from tenants.keys import data_key
from tenants.models import Tenant
from tenants.selectors import outbound_policy

ROUND_TRIP_SECONDS = 600
SAID_AGAIN_AFTER = timedelta(minutes=1)
SCOPES = "openid profile email"
CHANGED = "sign_in.changed"
UNREACHABLE = {"address_refused", "provider_unreachable", "provider_failed"}


class SingleSignOnRefused(Exception):
    """Nobody is signed in. ``reason`` goes to the audit trail; people read one sentence for all of them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def unreachable(self) -> bool:
        """True when trying again later may help."""
        return self.reason in UNREACHABLE


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What the session keeps while the person is at the provider; good for one answer within ten minutes."""

    tenant: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    target: str
    at: float


def setting_of(tenant: Tenant) -> TenantSignIn:
    """The tenant's setting; an unsaved one with the defaults when nothing was set yet."""
    return TenantSignIn.objects.filter(tenant=tenant).first() or TenantSignIn(tenant=tenant, version=0)


def begin(*, tenant: Tenant | None, redirect_uri: str, target: str) -> tuple[str, dict[str, Any]]:
    """The address at the provider to go to, and what the session has to keep. Raises SingleSignOnRefused."""
    setting = _enabled(tenant)
    try:
        found = provider.discover(setting.oidc_issuer, outbound_policy())
    except provider.ProviderFailed as error:
        raise SingleSignOnRefused(error.reason) from error
    trip = RoundTrip(
        tenant=str(setting.tenant_id),
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        redirect_uri=redirect_uri,
        target=target,
        at=timezone.now().timestamp(),
    )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(trip.verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": setting.oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": trip.state,
        "nonce": trip.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if urlsplit(found.authorization_endpoint).query else "?"
    return f"{found.authorization_endpoint}{joint}{urlencode(query)}", asdict(trip)


def complete(*, trip: RoundTrip, answer: Mapping[str, str]) -> User:
    """Who came back. Raises SingleSignOnRefused for every answer that proves nobody or nobody we let in."""
    if not 0 <= timezone.now().timestamp() - trip.at < ROUND_TRIP_SECONDS:
        raise SingleSignOnRefused("too_late")
    if not hmac.compare_digest(answer.get("state", "").encode(), trip.state.encode()):
        raise SingleSignOnRefused("wrong_state")
    setting = _enabled(Tenant.objects.filter(pk=trip.tenant).first())
    if "error" in answer:
        raise SingleSignOnRefused("refused_by_provider")
    policy = outbound_policy()
    try:
        found = provider.discover(setting.oidc_issuer, policy)
        if answer.get("iss", found.issuer) != found.issuer or (found.names_itself and "iss" not in answer):
            raise SingleSignOnRefused("wrong_issuer")
        token = provider.exchange(
            found,
            policy,
            code=answer.get("code", ""),
            verifier=trip.verifier,
            redirect_uri=trip.redirect_uri,
            client_id=setting.oidc_client_id,
            secret=_secret(setting),
        )
        claims = _claims(setting, token, trip.nonce, policy)
    except (provider.ProviderFailed, tokens.TokenRefused) as error:
        raise SingleSignOnRefused(error.reason) from error
    user = _user_of(setting, claims)
    if not user.is_active:
        raise SingleSignOnRefused("disabled")
    return user


def _enabled(tenant: Tenant | None) -> TenantSignIn:
    setting = TenantSignIn.objects.select_related("tenant").filter(tenant=tenant, oidc_enabled=True).first()
    if setting is None:
        raise SingleSignOnRefused("not_enabled")
    if setting.tenant.state != Tenant.State.READY:
        raise SingleSignOnRefused("tenant_not_ready")
    return setting


def _claims(setting: TenantSignIn, token: str, nonce: str, policy: OutboundPolicy) -> dict[str, Any]:
    issuer, client_id = setting.oidc_issuer, setting.oidc_client_id
    keys = provider.keys_of(issuer, policy)
    try:
        return tokens.verified_claims(token, keys=keys, issuer=issuer, client_id=client_id, nonce=nonce)
    except tokens.UnknownKey:
        # Providers change their keys: ask once more.
        keys = provider.keys_of(issuer, policy, fresh=True)
        return tokens.verified_claims(token, keys=keys, issuer=issuer, client_id=client_id, nonce=nonce)


def _user_of(setting: TenantSignIn, claims: Mapping[str, Any]) -> User:
    """The linked user; else the one that the claim names, linked from now on; else a new one where that is wanted."""
    subject = str(claims["sub"])
    linked = LinkedIdentity.objects.filter(tenant=setting.tenant_id, issuer=setting.oidc_issuer, subject=subject)
    identity = linked.select_related("user").first()
    if identity is not None:
        return User.objects.get(pk=identity.user_id)
    named = _named(setting, claims)
    try:
        with transaction.atomic():
            user = _found(setting, named) or _created(setting, claims, named)
            LinkedIdentity.objects.create(user=user, tenant=setting.tenant, issuer=setting.oidc_issuer, subject=subject)
            _record(setting.tenant, user.actor, "user.identity_linked", str(user.pk), issuer=setting.oidc_issuer)
    except IntegrityError as error:
        # The user is linked to another subject of this issuer: the name was given to somebody else there.
        raise SingleSignOnRefused("linked_to_another_identity") from error
    except InvalidInput as error:
        raise SingleSignOnRefused("user_not_creatable") from error
    return user


def _named(setting: TenantSignIn, claims: Mapping[str, Any]) -> str:
    if setting.oidc_match == TenantSignIn.Match.EMAIL and claims.get("email_verified") is not True:
        raise SingleSignOnRefused("email_not_verified")
    named = claims.get(setting.oidc_match)
    if not isinstance(named, str) or not named.strip() or "\x00" in named or len(named) > 254:
        raise SingleSignOnRefused("claim_missing")
    return named.strip()


def _found(setting: TenantSignIn, named: str) -> User | None:
    users = User.objects.filter(tenant=setting.tenant_id)
    if setting.oidc_match == TenantSignIn.Match.EMAIL:
        matching = list(users.filter(email__iexact=named)[:2])
        if len(matching) > 1:
            raise SingleSignOnRefused("several_users")
        return matching[0] if matching else None
    return users.filter(username_key=key_of(named)).first()


def _created(setting: TenantSignIn, claims: Mapping[str, Any], named: str) -> User:
    if not setting.oidc_create_users or setting.oidc_default_role is None:
        raise SingleSignOnRefused("unknown_user")
    email = claims.get("email")
    verified = claims.get("email_verified") is True and isinstance(email, str)
    return create_user(
        tenant=setting.tenant,
        username=named,
        # Nobody knows it: this user comes through the provider, until an administrator sets a password.
        password=secrets.token_urlsafe(48),
        role=setting.oidc_default_role,
        full_name=_shown_name(claims.get("name")),
        email=str(email)[:254] if verified else "",
        actor="system:single-sign-on",
    )


def _shown_name(name: object) -> str:
    """The name that the provider tells; none when it breaks a rule of names, which must keep nobody out."""
    return name[:150] if isinstance(name, str) and not name_problem(name[:150]) else ""


@transaction.atomic
def refuse(*, tenant: Tenant | None, reason: str) -> None:
    """Audit a refused sign-in through a provider; the same refusal of the same address once a minute."""
    if tenant is None:
        return
    same = {"reason": reason, "method": "oidc"}
    latest = AuditEntry.objects.filter(tenant_id=tenant.pk, action="user.sign_in_refused", ip=client_ip.get())
    if not latest.filter(at__gt=timezone.now() - SAID_AGAIN_AFTER, details__contains=same).exists():
        _record(tenant, "anonymous", "user.sign_in_refused", "", reason=reason, method="oidc")


@transaction.atomic
def save_setting(*, tenant: Tenant, values: Mapping[str, Any], version: int, editor: User) -> TenantSignIn:
    """Store how a tenant's people sign in; ``values`` are the form's, a blank secret keeps the stored one.

    Raises InvalidInput by field, Conflict, which says who changed what, when ``version`` is old or
    the tenant is deleted, NotAllowed when single sign-on is changed by somebody
    who lacks a right that people of the tenant hold, or that the role of created users has.
    """
    if Tenant.objects.select_for_update().get(pk=tenant.pk).state == Tenant.State.DELETED:
        raise Conflict(_("The tenant is deleted and cannot be changed any more."))
    setting = setting_of(tenant)
    if setting.version != version:
        raise Conflict(_whose_change(tenant, version))
    before, role_before = _facts(setting), setting.oidc_default_role_id
    secret = values.get("oidc_client_secret", "")
    if values["oidc_issuer"] and values["oidc_issuer"] != setting.oidc_issuer:
        _check_issuer(values["oidc_issuer"])
        if setting.oidc_client_secret is not None and not secret:
            # The stored secret must not be sent to an address that its owner did not give it for.
            raise InvalidInput("oidc_client_secret", _("Enter the client secret again for the new issuer."))
    for name in before.keys() - {"oidc_default_role"}:
        setattr(setting, name, values[name])
    setting.oidc_default_role = values["oidc_default_role"]
    after = _facts(setting)
    old, new = changes(before, {**after, "oidc_client_secret": SECRET} if secret else after)
    # Two roles may have the same name.
    if secret or setting.oidc_default_role_id != role_before or any(name.startswith("oidc_") for name in new):
        demand_master(tenant, editor)
        _demand_grantable(setting.oidc_default_role, tenant, editor)
    if secret:
        setting.oidc_client_secret = seal(data_key(tenant), secret.encode(), _context(tenant))
    _demand_complete(setting)
    setting.version = version + 1
    cleaned(setting, clash_field="oidc_issuer").save()
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action=CHANGED,
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"version": version + 1},
        before=old,
        after=new,
    )
    return setting


def _whose_change(tenant: Tenant, version: int) -> str:
    """What stands above the form of the second of two people who saved it."""
    return whose_change(
        tenant_id=tenant.pk,
        target_type="tenant",
        target_id=str(tenant.pk),
        actions=[CHANGED],
        since=version,
        words=field_words(TenantSignIn),
        otherwise=_("Somebody else saved this page in the meantime. Reload it, then make your change again."),
    )


def _check_issuer(issuer: str) -> CheckedUrl:
    policy = outbound_policy()
    try:
        checked = check_url(issuer, policy, field="oidc_issuer")
    except AddressRefused as error:
        raise InvalidInput("oidc_issuer", error.message) from error
    if checked.scheme != "https" and not policy.lists_port(checked.port):
        raise InvalidInput("oidc_issuer", _("The issuer must be an https:// address."))
    return checked


def demand_master(tenant: Tenant, editor: User) -> None:
    """Raise NotAllowed unless ``editor`` may say who vouches for a tenant's people. Who names the provider decides who everybody is, so he must be able to do already what they can do."""
    try:
        if tenant.is_system and not editor.rights >= ALL_CODES:
            raise NotAllowed(_("You lack the right “%(code)s”.") % {"code": min(ALL_CODES - editor.rights)})
        for role in Role.objects.filter(pk__in=User.objects.filter(tenant=tenant).values("role")).order_by("pk"):
            demand_grantable(editor, role)
    except NotAllowed as error:
        rule = _(
            "Who sets up single sign-on could sign in as anybody here, so it takes every right that people here have."
        )
        raise NotAllowed(f"{rule} {error.message}") from error


def _demand_grantable(role: Role | None, tenant: Tenant, editor: User) -> None:
    if role is None:
        return
    try:
        role_for(tenant, role)
    except InvalidInput as error:
        raise InvalidInput("oidc_default_role", error.message) from error
    demand_grantable(editor, role)


def _demand_complete(setting: TenantSignIn) -> None:
    if not setting.oidc_enabled:
        return
    for field, name in (("oidc_issuer", _("the issuer")), ("oidc_client_id", _("the client id"))):
        if not getattr(setting, field):
            raise InvalidInput(field, _("Single sign-on needs %(what)s.") % {"what": name})
    if setting.oidc_client_secret is None:
        raise InvalidInput("oidc_client_secret", _("Single sign-on needs %(what)s.") % {"what": _("the client secret")})
    if setting.oidc_create_users and setting.oidc_default_role is None:
        raise InvalidInput("oidc_default_role", _("Choose the role of users that are created."))


def _facts(setting: TenantSignIn) -> dict[str, Any]:
    return {
        "require_second_factor": setting.require_second_factor,
        "oidc_enabled": setting.oidc_enabled,
        "oidc_label": setting.oidc_label,
        "oidc_issuer": setting.oidc_issuer,
        "oidc_client_id": setting.oidc_client_id,
        "oidc_match": str(setting.oidc_match),
        "oidc_create_users": setting.oidc_create_users,
        "oidc_default_role": str(setting.oidc_default_role or ""),
        "oidc_second_factor": setting.oidc_second_factor,
    }


def _secret(setting: TenantSignIn) -> str:
    return open_sealed(
        data_key(setting.tenant), bytes(setting.oidc_client_secret or b""), _context(setting.tenant)
    ).decode()


def _context(tenant: Tenant) -> bytes:
    return b"oidc-client-secret:" + tenant.pk.bytes


def _record(tenant: Tenant, actor: str, action: str, target_id: str, **details: Any) -> None:
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=action,
        target_type="user" if action.startswith("user.") else "tenant",
        target_id=target_id,
        details=details,
    )

"""Sessions of realms: begun by a password, renewed by a refresh token, ended (R2.1–R2.8)."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.factors import services as factors
from accounts.models import User
from accounts.realms import tokens
from accounts.realms.models import RealmSession, RealmSetting
from accounts.realms.tokens import REFRESH, Session, TokenInvalid
from accounts.signin.services import claim, judge
from audit.services import append
from core.logs import client_ip
from tenants.models import Tenant

# However often it is renewed, a session ends then.
LONGEST = timedelta(hours=24)
KEPT = timedelta(days=1)
# So many sessions a user may have at a time.
MOST = 100
DEFAULT_SCOPE = "profile email"
SCOPES = ("openid", "profile", "email")
BAD_CREDENTIALS, INVALID_REFRESH = "Invalid user credentials", "Invalid refresh token"


class GrantRefused(Exception):
    """No token. ``description`` is that of the contract's table; ``credentials``: it was about who somebody is."""

    def __init__(self, description: str, *, credentials: bool = False) -> None:
        super().__init__(description)
        self.description = description
        self.credentials = credentials


@dataclass(frozen=True, slots=True)
class Granted:
    """The tokens of a session. Lifetimes in seconds."""

    access: str
    refresh: str
    identity: str
    access_seconds: int
    refresh_seconds: int
    session: Session


def by_password(
    *, tenant: Tenant, setting: RealmSetting, client: str, username: str, password: str, code: str = "", scope: str = ""
) -> Granted:
    """Begin a session, by user name or e-mail address and password.

    Who has a second factor also needs the code of an authenticator app; a password alone never lets him in. Raises
    GrantRefused with the description of the contract's table, TooManyAttempts when the address failed too often.
    """
    asked = claim(organisation=tokens.realm_of(tenant), username=username, by_email=True)
    reason = judge(asked=asked, password=password)
    if reason == "disabled":
        raise GrantRefused("Account disabled")
    user = asked.user
    if reason or user is None:
        raise GrantRefused(BAD_CREDENTIALS, credentials=True)
    if user.must_change_password:
        raise GrantRefused("Account is not fully set up")
    if factors.of(user).exists():
        if not code:
            factors.record_refusal(user, "no_code")
        if not code or not factors.use_totp(user=user, code=code):
            raise GrantRefused(BAD_CREDENTIALS, credentials=True)
    elif factors.required_for(user):
        raise GrantRefused("Account is not fully set up")
    return _begin(user, setting, client, _scope(scope))


def by_refresh_token(*, tenant: Tenant, setting: RealmSetting, client: str, token: str) -> Granted:
    """A new pair of tokens for one refresh token, which is used up.

    Whoever comes with a used one ends the session for both: one of the two has stolen it. Raises GrantRefused.
    """
    try:
        claims = tokens.claims_of(token, tenant, kind=REFRESH)
        identity, presented = uuid.UUID(claims["sid"]), uuid.UUID(claims["jti"])
    except TokenInvalid as error:
        raise GrantRefused("Token is not active" if error.expired else INVALID_REFRESH) from error
    except (ValueError, AttributeError, TypeError) as error:
        raise GrantRefused(INVALID_REFRESH) from error
    if claims.get("azp") != client:
        raise GrantRefused(INVALID_REFRESH)
    now, fresh = timezone.now(), uuid.uuid4()
    row = _alive(tenant, identity, now)
    if row is None:
        raise GrantRefused("Token is not active")
    if factors.required_for(row.user) and not factors.of(row.user).exists():
        # The tenant has come to require one since.
        raise GrantRefused("Account is not fully set up")
    ends_at = min(now + timedelta(seconds=setting.refresh_seconds), row.started_at + LONGEST)
    with transaction.atomic():
        # The guarded update makes the token usable once, also for two requests at the same time.
        mine = RealmSession.objects.filter(pk=identity, refresh_id=presented, ended_at=None)
        renewed = mine.update(refresh_id=fresh, seen_at=now, ends_at=ends_at, address=client_ip.get())
        # A session that was signed out in between has no thief.
        if not renewed and RealmSession.objects.filter(pk=identity, ended_at=None).update(ended_at=now):
            _record(row.user, "realm.token_reused")
    if not renewed:
        raise GrantRefused(INVALID_REFRESH)
    return _granted(Session(row.pk, row.user, row.client, row.scope), setting, fresh, now, ends_at)


def sign_out(*, tenant: Tenant, client: str, token: str) -> None:
    """End the session of a refresh token. Raises GrantRefused unless the token is one of this realm and client."""
    try:
        claims = tokens.claims_of(token, tenant, kind=REFRESH)
        identity = uuid.UUID(claims["sid"])
    except (TokenInvalid, ValueError, AttributeError, TypeError) as error:
        raise GrantRefused(INVALID_REFRESH) from error
    if claims.get("azp") != client:
        raise GrantRefused(INVALID_REFRESH)
    row = _alive(tenant, identity, timezone.now())
    if row is None:
        return
    with transaction.atomic():
        if RealmSession.objects.filter(pk=identity, ended_at=None).update(ended_at=timezone.now()):
            _record(row.user, "user.signed_out", method="realm")


def forget_ended() -> int:
    """Remove sessions that ended a day ago; return how many."""
    return RealmSession.objects.filter(ends_at__lt=timezone.now() - KEPT).delete()[0]


def _alive(tenant: Tenant, identity: uuid.UUID, now: datetime) -> RealmSession | None:
    rows = RealmSession.objects.select_related("user__tenant", "user__role")
    found = rows.filter(pk=identity, user__tenant=tenant, ended_at=None, ends_at__gt=now, user__is_active=True)
    return found.first()


def _begin(user: User, setting: RealmSetting, client: str, scope: str) -> Granted:
    now, refresh_id = timezone.now(), uuid.uuid4()
    ends_at = now + timedelta(seconds=setting.refresh_seconds)
    with transaction.atomic():
        row = RealmSession.objects.create(
            user=user,
            client=client,
            scope=scope,
            refresh_id=refresh_id,
            address=client_ip.get(),
            seen_at=now,
            ends_at=ends_at,
        )
        _end_oldest(user, now)
        User.objects.filter(pk=user.pk).update(last_sign_in_at=now)
        _record(user, "user.signed_in", method="realm")
    return _granted(Session(row.pk, user, client, scope), setting, refresh_id, now, ends_at)


def _end_oldest(user: User, now: datetime) -> None:
    """Scripts that sign in for each call must not heap up sessions: those beyond the newest hundred end."""
    alive = RealmSession.objects.filter(user=user, ended_at=None, ends_at__gt=now).order_by("-started_at", "-pk")
    beyond = list(alive.values_list("pk", flat=True)[MOST:])
    if beyond:
        RealmSession.objects.filter(pk__in=beyond, ended_at=None).update(ended_at=now)


def _granted(
    session: Session, setting: RealmSetting, refresh_id: uuid.UUID, now: datetime, ends_at: datetime
) -> Granted:
    left = int((ends_at - now).total_seconds())
    access = min(setting.access_seconds, left)
    return Granted(
        access=tokens.access_token(session, now=now, seconds=access),
        refresh=tokens.refresh_token(session, identity=refresh_id, now=now, seconds=left),
        identity=tokens.id_token(session, now=now, seconds=access) if "openid" in session.scope.split() else "",
        access_seconds=access,
        refresh_seconds=left,
        session=session,
    )


def _scope(asked: str) -> str:
    """The scopes that we know, the two that are always given at the end."""
    wanted = asked.split()
    return " ".join(name for name in SCOPES if name in wanted or name in DEFAULT_SCOPE)


def _record(user: User, action: str, **details: str) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=user.actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details=dict(details),
    )

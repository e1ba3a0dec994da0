"""The own profile, second factors and sign-in."""

import uuid
from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors import services as factor_services
from accounts.models import User
from accounts.realms.models import RealmSession, TrustedIssuer
from accounts.security_models import UserSession
from tests.accounts.authenticator import SoftAuthenticator
from tests.accounts.signing_in import code_of, confirmed, with_authenticator
from tests.audit.changes.world import Change, World, row
from tests.conftest import PASSWORD


def recently_signed_in(world: World) -> Client:
    """The platform admin, whose password was asked a moment ago."""
    return confirmed(world.root)


def a_session_of(user: User) -> UserSession:
    """A session of somebody."""
    now = timezone.now()
    return UserSession.objects.create(user=user, session_key=uuid.uuid4().hex, seen_at=now, ends_at=now)


def a_realm_session_of(user: User) -> RealmSession:
    """A session of somebody at the offline-task API."""
    now = timezone.now()
    ends = now + timedelta(minutes=30)
    return RealmSession.objects.create(
        user=user, client="browser_client", scope="profile email", refresh_id=uuid.uuid4(), seen_at=now, ends_at=ends
    )


@row("accounts:profile")
def _(world: World) -> Change:
    good = {"full_name": "Rita Root", "time_zone": "Asia/Tokyo", "language": "", "version": 1}
    return Change(world.root, good, {**good, "time_zone": "Mars"})


@row("accounts:password")
def _(world: World) -> Change:
    new = "another long pass phrase"
    good = {"current": PASSWORD, "new": new, "repeat": new}
    return Change(world.root, good, {**good, "repeat": "not the same pass phrase"})


@row("accounts:authenticator")
def _(world: World) -> Change:
    secret = factor_services.begin_totp(user=world.people.platform_admin)
    return Change(recently_signed_in(world), {"code": code_of(secret)}, {"code": "x"}, good_status=200)


@row("accounts:passkey_add")
def _(world: World) -> Change:
    # A challenge is good for one answer, so a refused answer has nothing to be posted with.
    client = recently_signed_in(world)
    options = client.get(reverse("accounts:passkey_add")).context["passkey_options"]
    answer = SoftAuthenticator("http://testserver", "testserver").create(options)
    return Change(client, {"name": "Key", "credential": answer}, good_status=200)


@row("accounts:factor_remove")
def _(world: World) -> Change:
    with_authenticator(world.people.platform_admin)
    factor = factor_services.of(world.people.platform_admin).get()
    return Change(recently_signed_in(world), args=(factor.pk,))


@row("accounts:recovery_codes")
def _(world: World) -> Change:
    with_authenticator(world.people.platform_admin)
    return Change(recently_signed_in(world), good_status=200)


@row("accounts:session_end")
def _(world: World) -> Change:
    return Change(world.root, args=(a_session_of(world.people.platform_admin).pk,))


@row("accounts:realm_session_end")
def _(world: World) -> Change:
    return Change(world.root, args=(a_realm_session_of(world.people.platform_admin).pk,))


@row("accounts:sessions_end_others")
def _(world: World) -> Change:
    a_session_of(world.people.platform_admin)
    return Change(world.root)


@row("accounts:tenant_sign_in")
def _(world: World) -> Change:
    good = {"version": 0, "require_second_factor": "on", "oidc_match": "email"}
    return Change(recently_signed_in(world), good, {**good, "oidc_enabled": "on"}, (world.acme.pk,))


@row("accounts:user_reset_second_factor")
def _(world: World) -> Change:
    with_authenticator(world.people.agent)
    return Change(recently_signed_in(world), args=(world.people.agent.pk,))


@row("accounts:user_end_sessions")
def _(world: World) -> Change:
    a_session_of(world.people.agent)
    return Change(recently_signed_in(world), args=(world.people.agent.pk,))


REALM = {"version": 0, "enabled": "on", "local_sign_in": "on", "access_seconds": "300", "refresh_seconds": "1800"}
ISSUER = {
    "version": 0,
    "enabled": "on",
    "issuer": "https://93.184.216.34/realms/acme",
    "clients": "browser_client",
    "mapping": "realm",
    "user_claim": "preferred_username",
    "role_mode": "narrow",
}


def an_issuer(world: World) -> TrustedIssuer:
    """One that acme trusts."""
    return TrustedIssuer.objects.create(tenant=world.acme, issuer=ISSUER["issuer"])


@row("accounts:tenant_realm")
def _(world: World) -> Change:
    bad = {**REALM, "cors_origins": "https://*.example"}
    return Change(recently_signed_in(world), REALM, bad, (world.acme.pk,))


@row("accounts:tenant_realm_rotate")
def _(world: World) -> Change:
    return Change(recently_signed_in(world), args=(world.acme.pk,))


@row("accounts:tenant_issuer_add")
def _(world: World) -> Change:
    bad = {**ISSUER, "issuer": "http://93.184.216.34/realms/acme"}
    return Change(recently_signed_in(world), ISSUER, bad, (world.acme.pk,))


@row("accounts:tenant_issuer")
def _(world: World) -> Change:
    good = {**ISSUER, "version": 1, "mapping": "fixed"}
    return Change(recently_signed_in(world), good, {**good, "version": 7}, (world.acme.pk, an_issuer(world).pk))


@row("accounts:tenant_issuer_remove")
def _(world: World) -> Change:
    return Change(recently_signed_in(world), args=(world.acme.pk, an_issuer(world).pk))


@row("accounts:tenant_realm_session")
def _(world: World) -> Change:
    session = a_realm_session_of(world.people.agent)
    return Change(recently_signed_in(world), args=(world.acme.pk, session.pk))


@row("accounts:user_realm_session_end")
def _(world: World) -> Change:
    session = a_realm_session_of(world.people.agent)
    return Change(recently_signed_in(world), args=(world.people.agent.pk, session.pk))

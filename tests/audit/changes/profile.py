"""The own profile, second factors and sign-in."""

import uuid

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.factors import services as factor_services
from accounts.models import User
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

"""Signing in as a browser does, for the tests of this folder."""

import time

import pyotp
from django.test import Client
from django.utils import timezone

from tests.conftest import PASSWORD

SIGN_IN, SECOND = "/sign-in/", "/sign-in/second-factor/"


def sign_in(client: Client, organisation="acme", username="ada", password=PASSWORD, **more):
    """Post the form."""
    return client.post(SIGN_IN, {"organisation": organisation, "username": username, "password": password, **more})


def signed_in(username="ada", password=PASSWORD, **more) -> Client:
    """A client with a session that began at the form."""
    client = Client(**more)
    assert sign_in(client, username=username, password=password).status_code == 302
    return client


def confirmed(client: Client, minutes_ago: float = 0) -> Client:
    """The client, as if its password had been asked then."""
    session = client.session
    session["confirmed_at"] = timezone.now().timestamp() - 60 * minutes_ago
    session.save()
    return client


def code_of(secret: str, steps: int = 0) -> str:
    """The code that an authenticator app shows, ``steps`` of 30 seconds from now."""
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * steps)


def with_authenticator(user) -> tuple[str, list[str]]:
    """Give ``user`` an authenticator app; return its secret and the recovery codes."""
    from accounts.factors import services

    secret = services.begin_totp(user=user)
    # The code of the step before leaves the present one for the test.
    return secret, services.confirm_totp(user=user, code=code_of(secret, -1), actor=user.actor)

"""Lock-out: how often a door that takes a password or a code may be tried (hostile 3B9, 3B17).

Counted in the database by one statement an attempt, before the password is looked at, so that racing guesses cannot
pass between reading and counting; a success gives its attempt back. No cache is involved: losing Redis opens nothing.
"""

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.security_models import SignInThrottle
from core.errors import ParlanceError
from core.logs import client_ip

WINDOW = timedelta(minutes=15)
LOCK = timedelta(minutes=15)
ACCOUNT_LIMIT = 10
ADDRESS_LIMIT = 100
CODE_LIMIT = 5
KEPT = timedelta(days=1)

TAKE = """
INSERT INTO accounts_signinthrottle AS t (key, kind, window_started_at, attempts, locked_until)
VALUES (%(key)s, %(kind)s, statement_timestamp(), 1, NULL)
ON CONFLICT (key) DO UPDATE SET
    attempts = CASE WHEN {fresh} THEN 1 ELSE t.attempts + 1 END,
    window_started_at = CASE WHEN {fresh} THEN statement_timestamp() ELSE t.window_started_at END,
    locked_until = CASE
        WHEN t.locked_until > statement_timestamp() THEN t.locked_until
        WHEN {fresh} THEN NULL
        WHEN t.attempts + 1 > %(limit)s THEN statement_timestamp() + %(lock)s
    END
RETURNING attempts, COALESCE(EXTRACT(EPOCH FROM locked_until - statement_timestamp()), 0)
""".format(
    # A lock that is over, or a window that is over and was not closed by a lock, starts anew.
    fresh="""(t.locked_until <= statement_timestamp()
        OR (t.locked_until IS NULL AND t.window_started_at <= statement_timestamp() - %(window)s))"""
)
GIVE_BACK = """
UPDATE accounts_signinthrottle
SET attempts = GREATEST(attempts - 1, 0),
    locked_until = CASE WHEN attempts - 1 > %(limit)s THEN locked_until END
WHERE key = %(key)s
"""


class TooManyAttempts(ParlanceError):
    """The door is closed for a while; ``retry_after`` in seconds. Answered with 429 and Retry-After."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, retry_after: float) -> None:
        super().__init__(_("Too many attempts. Wait a while, then try again."))
        self.retry_after = max(1, math.ceil(retry_after))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One counted attempt. ``locked``: refuse as if the secret were wrong, without comparing it.

    ``locked_now``: this attempt was the one that closed the account (audited once).
    """

    taken: tuple[tuple[str, int], ...]
    locked: bool = False
    locked_now: bool = False

    def succeeded(self) -> None:
        """Give the attempt back: only failures count."""
        with connection.cursor() as cursor:
            for key, limit in self.taken:
                cursor.execute(GIVE_BACK, {"key": key, "limit": limit})


def guard(*, account: str, device: str = "", address: str | None = None, limit: int = ACCOUNT_LIMIT) -> Attempt:
    """Count one attempt on ``account`` (any text that names it; also one that does not exist).

    Every door that takes a password, a TOTP code or a recovery code calls this before it compares, and
    ``Attempt.succeeded`` after the comparison went well. ``device`` names a browser that signed in to this account
    before (``accounts.devices``): it has a budget of its own, so that an attack from elsewhere does not shut it out.
    ``address`` defaults to the client's; a network (IPv6: /64) that failed too often gets TooManyAttempts.
    """
    taken = [] if device else list(guard_address(address).taken)
    kind, subject = ("device", f"{device} {account}") if device else ("account", account)
    key = _key(kind, subject)
    attempts, left = _take(key, kind, limit)
    taken.append((key, limit))
    return Attempt(tuple(taken), left > 0, left > 0 and attempts == limit + 1)


def guard_address(address: str | None = None) -> Attempt:
    """Count one attempt on the network of the client alone; raises TooManyAttempts when it failed too often."""
    return guard_door("address", ADDRESS_LIMIT, address)


def guard_door(kind: str, limit: int, address: str | None = None) -> Attempt:
    """Count one attempt of the client's network on the door ``kind`` (at most 10 letters), which has its own budget.

    Raises TooManyAttempts when more than ``limit`` failed within the window.
    """
    place = _network(address if address is not None else client_ip.get())
    if not place:
        return Attempt(())
    key = _key(kind, place)
    _attempts, left = _take(key, kind, limit)
    if left > 0:
        raise TooManyAttempts(left)
    return Attempt(((key, limit),))


def guard_code(*, account: str) -> Attempt:
    """Count one attempt on the second factor of a known user; raises TooManyAttempts after five wrong ones."""
    key = _key("code", account)
    _attempts, left = _take(key, "code", CODE_LIMIT)
    if left > 0:
        raise TooManyAttempts(left)
    return Attempt(((key, CODE_LIMIT),))


def forget_old() -> int:
    """Remove counters that say nothing any more; return how many."""
    return SignInThrottle.objects.filter(window_started_at__lt=timezone.now() - KEPT).delete()[0]


def _take(key: str, kind: str, limit: int) -> tuple[int, float]:
    """Count; return the attempts of the window and for how many seconds the key is still locked (0: it is not)."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {"key": key, "kind": kind, "limit": limit, "window": WINDOW, "lock": LOCK}
        cursor.execute(TAKE, values)
        attempts, left = cursor.fetchone()
    return attempts, float(left)


def _key(kind: str, subject: str) -> str:
    return hashlib.sha256(f"{kind}\x00{subject}".encode("utf-8", "replace")).hexdigest()


def _network(address: str | None) -> str:
    """The network that counts as one place; empty when the connection has no address."""
    if not address:
        return ""
    parsed = ipaddress.ip_address(address)
    return str(parsed if parsed.version == 4 else ipaddress.ip_network((parsed, 64), strict=False))

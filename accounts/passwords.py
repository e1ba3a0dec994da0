"""Passwords: the rules (ASVS 6.2: long, no composition rules, no forced rotation) and the changes."""

import secrets
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import sessions
from accounts.lockout import LOCK, TooManyAttempts, guard
from accounts.models import User
from audit.services import append
from core.errors import InvalidInput

MAX_LENGTH = 1000
# Nothing that looks like something else, and no signs: one would be taken for a formula where the password is listed.
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
MADE_LENGTH = 20


class StorableValidator:
    """At most 1,000 characters and no NUL; everything else, emojis and spaces among it, is a password's own affair."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError naming the rule."""
        if len(password) > MAX_LENGTH:
            raise ValidationError(_("A password has at most %(limit)s characters.") % {"limit": f"{MAX_LENGTH:,}"})
        if "\x00" in password:
            raise ValidationError(_("A password cannot hold a NUL character."))

    def get_help_text(self) -> str:
        """Nothing that a person needs to be told."""
        return ""


def new_password() -> str:
    """One that nobody guesses and everybody can type off, for a first sign-in."""
    return "".join(secrets.choice(ALPHABET) for _number in range(MADE_LENGTH))


def account_of(user: User) -> str:
    """How the lock-out names the account of ``user``; the same text that a sign-in with his names gives."""
    return account_key(str(user.tenant_id), user.username_key)


def account_key(tenant: str, username_key: str) -> str:
    """How the lock-out names an account, also one that does not exist."""
    return f"{tenant}/{username_key}"


def same_work(password: str) -> None:
    """Cost what comparing a password costs, where there is nothing to compare (hostile 3B1)."""
    make_password(password)


def confirm(*, user: User, password: str, device: str = "") -> None:
    """Check the password of somebody who is signed in. Raises InvalidInput (field ``current``), TooManyAttempts."""
    attempt = guard(account=account_of(user), device=device)
    if attempt.locked:
        same_work(password)
        raise TooManyAttempts(LOCK.total_seconds())
    if not user.check_password(password):
        _record(user, user.actor, "user.password_refused")
        raise InvalidInput("current", _("This is not your password."))
    attempt.succeeded()


def change_own(*, user: User, current: str, new: str, actor: str, device: str = "", keep_session: str = "") -> None:
    """Change one's own password; all sessions but ``keep_session`` end.

    Raises InvalidInput (``current`` or ``new``), TooManyAttempts. The caller renews its own session afterwards.
    """
    confirm(user=user, password=current, device=device)
    if secrets.compare_digest(current.encode(), new.encode()):
        raise InvalidInput("new", _("This is the password you have already."))
    _demand_good(new, user, "new")
    with transaction.atomic():
        _store(user, new, must_change=False)
        ended = sessions.end_quietly(user, except_key=keep_session)
        _record(user, actor, "user.password_changed", sessions_ended=ended)


def set_by_admin(*, user: User, password: str, actor: str) -> None:
    """Give ``user`` a password that he must change at his next sign-in; his sessions end, his second factor stays.

    Raises InvalidInput (field ``password``).
    """
    _demand_good(password, user, "password")
    with transaction.atomic():
        _store(user, password, must_change=True)
        ended = sessions.end_quietly(user)
        _record(user, actor, "user.password_set", sessions_ended=ended)


def _demand_good(password: str, user: User, field: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(field, " ".join(error.messages)) from error


def _store(user: User, password: str, *, must_change: bool) -> None:
    user.set_password(password)
    user.must_change_password = must_change
    # A password is no field of the user's form, so the version that its editors compare stays.
    user.save(update_fields=["password", "must_change_password"])


@transaction.atomic
def _record(user: User, actor: str, action: str, **details: Any) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details=details,
    )

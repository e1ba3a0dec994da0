"""Adding, using and removing second factors. What a code must fulfil is said by pyotp and fido2, not here."""

import hashlib
import hmac
import secrets
import time
from typing import Any

import pyotp
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.factors.passkeys import Credential
from accounts.lockout import guard_code
from accounts.models import User
from accounts.passwords import account_of
from accounts.security_models import RecoveryCode, SecondFactor, TenantSignIn
from accounts.sessions import end_realm_sessions
from audit.services import append
from core.crypto import open_sealed, seal
from core.errors import Conflict, InvalidInput
from tenants.keys import data_key

ISSUER = "Parlance"
STEP_S = 30
MAX_PASSKEYS = 10
CODES = 10
# 80 bits in base32, so a plain digest is enough and nobody finds a code by trying.
CODE_BYTES = 10


def of(user: User) -> QuerySet[SecondFactor]:
    """The second factors that count."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).order_by("created_at", "pk")


def required_for(user: User) -> bool:
    """True when the user's tenant demands a second factor."""
    return TenantSignIn.objects.filter(tenant=user.tenant_id, require_second_factor=True).exists()


def begin_totp(*, user: User) -> str:
    """Begin, or go on with, adding an authenticator app; return its secret in base32. Counts for nothing yet.

    Raises Conflict when there is one.
    """
    factor = SecondFactor.objects.filter(user=user, kind=SecondFactor.Kind.TOTP).first()
    if factor is None:
        secret = pyotp.random_base32()
        sealed = seal(data_key(user.tenant), secret.encode(), _context(user))
        made, created = SecondFactor.objects.get_or_create(
            user=user, kind=SecondFactor.Kind.TOTP, defaults={"name": str(_("Authenticator app")), "secret": sealed}
        )
        factor = made
        if created:
            return secret
    if factor.confirmed_at is not None:
        raise Conflict(_("You have an authenticator app already. Remove it first."))
    return _totp_secret(factor)


def totp_address(*, user: User, secret: str) -> str:
    """The otpauth:// address that the app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=user.actor, issuer_name=ISSUER)


@transaction.atomic
def confirm_totp(*, user: User, code: str, actor: str) -> list[str]:
    """Finish adding the app with its first code; return new recovery codes if these are the first.

    Raises InvalidInput (field ``code``), Conflict when nothing was begun.
    """
    factor = SecondFactor.objects.select_for_update().filter(user=user, kind="totp", confirmed_at=None).first()
    if factor is None:
        raise Conflict(_("Begin anew: there is no authenticator app waiting for its first code."))
    step = _step_of(_totp_secret(factor), code)
    if step is None:
        raise InvalidInput("code", _("This code is not right. Check the clock of your phone."))
    factor.confirmed_at, factor.last_step = timezone.now(), step
    factor.save(update_fields=["confirmed_at", "last_step"])
    _end_sessions_without(user)
    _record(user, actor, "user.second_factor_added", kind="totp")
    return _first_codes(user)


@transaction.atomic
def add_passkey(*, user: User, credential: Credential, name: str, actor: str) -> list[str]:
    """Store a passkey that proved itself; return new recovery codes if these are the first. Raises Conflict."""
    held = SecondFactor.objects.filter(user=user, kind=SecondFactor.Kind.PASSKEY).count()
    if held >= MAX_PASSKEYS:
        raise Conflict(_("You have %(count)s passkeys already. Remove one first.") % {"count": held})
    if SecondFactor.objects.filter(credential_id=credential.identity).exists():
        raise Conflict(_("This passkey is in use already."))
    SecondFactor.objects.create(
        user=user,
        kind=SecondFactor.Kind.PASSKEY,
        name=name.strip()[:80] or str(_("Passkey")),
        secret=credential.data,
        credential_id=credential.identity,
        sign_count=credential.sign_count,
        confirmed_at=timezone.now(),
    )
    _end_sessions_without(user)
    _record(user, actor, "user.second_factor_added", kind="passkey", name=name.strip()[:80])
    return _first_codes(user)


def _end_sessions_without(user: User) -> None:
    """Tokens of the offline-task API that a password alone has got are worth nothing any more; the next need the code."""
    if of(user).count() == 1:
        end_realm_sessions([user.pk])


def use_code(*, user: User, code: str) -> str:
    """Check a TOTP or recovery code at sign-in; return which it was, or empty when it is wrong or was used before.

    Raises TooManyAttempts after five wrong ones in 15 minutes.
    """
    attempt = guard_code(account=account_of(user))
    plain = "".join(character for character in code if character.isalnum())
    kind = "totp" if _use_totp(user, plain) else "recovery_code" if _use_recovery_code(user, plain) else ""
    if kind:
        attempt.succeeded()
    else:
        record_refusal(user, "wrong_code")
    return kind


def use_totp(*, user: User, code: str) -> bool:
    """Check the code of an authenticator app where nothing else will do; a recovery code is neither taken nor spent.

    Raises TooManyAttempts after five wrong ones in 15 minutes.
    """
    attempt = guard_code(account=account_of(user))
    right = _use_totp(user, "".join(character for character in code if character.isalnum()))
    if right:
        attempt.succeeded()
    else:
        record_refusal(user, "wrong_code")
    return right


def use_passkey(*, user: User, credential_id: bytes, sign_count: int) -> None:
    """Note that a passkey signed. Raises Conflict unless its counter went on: then a copy of it is about.

    A passkey that does not count says 0 each time; one that has counted never says 0 again.
    """
    rows = SecondFactor.objects.filter(user=user, credential_id=credential_id)
    rows = rows.filter(sign_count__lt=sign_count) if sign_count else rows.filter(sign_count=0)
    if not rows.update(sign_count=sign_count, last_used_at=timezone.now()):
        record_refusal(user, "passkey_copied")
        raise Conflict(_("This passkey cannot be trusted any more. Use another way."))


@transaction.atomic
def new_recovery_codes(*, user: User, actor: str) -> list[str]:
    """Replace all recovery codes; return the new ones, which are shown once and never again."""
    codes = _make_codes(user)
    _record(user, actor, "user.recovery_codes_made", count=len(codes))
    return codes


@transaction.atomic
def remove(*, factor: SecondFactor, actor: str) -> None:
    """Remove one. Raises Conflict for the last one where the tenant demands a second factor."""
    user = User.objects.select_for_update(of=("self",)).get(pk=factor.user_id)
    others = of(user).exclude(pk=factor.pk).exists()
    if not others and required_for(user):
        raise Conflict(_("Your organisation requires a second factor. Add another one before you remove this one."))
    factor.delete()
    if not others:
        RecoveryCode.objects.filter(user=user).delete()
    _record(user, actor, "user.second_factor_removed", kind=factor.kind, name=factor.name)


@transaction.atomic
def reset(*, user: User, actor: str) -> int:
    """Remove all second factors and recovery codes of somebody who lost them; return how many factors that were."""
    count = of(user).count()
    SecondFactor.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    _record(user, actor, "user.second_factor_reset", count=count)
    return count


@transaction.atomic
def record_refusal(user: User, reason: str) -> None:
    """Audit a refused second factor."""
    _record(user, "anonymous", "user.sign_in_refused", reason=reason, username=user.username)


def _use_totp(user: User, code: str) -> bool:
    factor = of(user).filter(kind=SecondFactor.Kind.TOTP).first()
    step = _step_of(_totp_secret(factor), code) if factor else None
    if factor is None or step is None:
        return False
    # The guarded update makes the step usable once, also for two requests at the same time.
    rows = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step)
    return bool(rows.update(last_step=step, last_used_at=timezone.now()))


def _use_recovery_code(user: User, code: str) -> bool:
    rows = RecoveryCode.objects.filter(user=user, digest=_digest(user, code), used_at__isnull=True)
    with transaction.atomic():
        used = bool(rows.update(used_at=timezone.now()))
        if used:
            left = RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
            _record(user, user.actor, "user.recovery_code_used", left=left)
    return used


def _step_of(secret: str, code: str) -> int | None:
    """The time step of a right code, one step of clock difference allowed; None for a wrong one."""
    app, now = pyotp.TOTP(secret), int(time.time()) // STEP_S
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(app.generate_otp(step).encode(), code.strip().encode()):
            return step
    return None


def _totp_secret(factor: SecondFactor) -> str:
    return open_sealed(data_key(factor.user.tenant), bytes(factor.secret), _context(factor.user)).decode()


def _context(user: User) -> bytes:
    return b"second-factor:totp:" + user.pk.bytes


def _first_codes(user: User) -> list[str]:
    return [] if RecoveryCode.objects.filter(user=user).exists() else _make_codes(user)


def _make_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    plain = ["".join(secrets.choice(alphabet) for _number in range(CODE_BYTES * 8 // 5)) for _code in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(user, code)) for code in plain)
    return ["-".join(code[start : start + 4] for start in range(0, len(code), 4)) for code in plain]


def _digest(user: User, code: str) -> str:
    return hashlib.sha256(b"recovery-code:" + user.pk.bytes + code.strip().lower().encode()).hexdigest()


def _record(user: User, actor: str, action: str, **details: Any) -> None:
    append(
        tenant_id=user.tenant_id,
        actor=actor,
        action=action,
        target_type="user",
        target_id=str(user.pk),
        details=details,
    )

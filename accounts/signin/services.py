"""The one door for organisation, user name and password; whoever takes a password to let somebody in calls it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.lockout import Attempt, guard
from accounts.models import User
from accounts.passwords import account_key, same_work
from accounts.services import key_of
from audit.services import append
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says he is; tenant and user are None when there is no such."""

    account: str
    organisation: str
    username: str
    tenant: Tenant | None
    user: User | None


def claim(*, organisation: str, username: str, by_email: bool = False) -> Claim:
    """Look the names up, whatever their case; ``master`` is an alias of the System tenant (domain C46).

    ``by_email``: what is no user name may be the e-mail address of one active user alone, or where nobody is active
    of one who is not, so that the right password is told of the state of the account as by user name (R2.2).
    """
    slug, key = organisation.strip().lower(), key_of(username)
    tenant = tenant_named(slug)
    user = User.objects.filter(tenant=tenant, username_key=key).first() if tenant else None
    if user is None and tenant is not None and by_email and "@" in username:
        found = User.objects.filter(tenant=tenant, email__iexact=username.strip()).order_by("-is_active", "pk")[:2]
        alone = len(found) == 1 or (len(found) == 2 and found[0].is_active and not found[1].is_active)
        user = found[0] if alone else None
    known = user.username_key if user is not None else key
    return Claim(account_key(str(tenant.pk) if tenant else slug, known), slug[:40], username.strip(), tenant, user)


def tenant_named(organisation: str) -> Tenant | None:
    """The tenant of this short name, in any state; None when there is none."""
    slug = organisation.strip().lower()
    return Tenant.objects.filter(**({"is_system": True} if slug == "master" else {"slug": slug})).first()


def check_password(
    *, organisation: str, username: str, password: str, device: Callable[[str], str] = lambda account: ""
) -> User | None:
    """The user whose password this is, or None for every reason alike and at the same cost (hostile 3B1).

    ``device`` says by account which known browser asks. Raises TooManyAttempts when the address failed too often.
    """
    asked = claim(organisation=organisation, username=username)
    return None if judge(asked=asked, password=password, device=device) else asked.user


def judge(*, asked: Claim, password: str, device: Callable[[str], str] = lambda account: "") -> str:
    """Why the password does not let the claimed user in, as a word for the audit trail; empty when it does.

    All reasons cost the same. ``disabled`` and ``tenant_not_ready`` are told of a right password alone. A refusal is
    audited with its reason. Raises TooManyAttempts as ``check_password`` does.
    """
    attempt = guard(account=asked.account, device=device(asked.account))
    if attempt.locked or asked.user is None:
        same_work(password)
        right = False
    else:
        right = asked.user.check_password(password)
    reason = _why_not(asked, attempt, right)
    if reason:
        # While an account is locked, only the attempt that locked it is told: an attack must not fill the trail.
        if not attempt.locked or attempt.locked_now:
            record_refusal(asked, reason)
        return reason
    attempt.succeeded()
    return ""


def _why_not(asked: Claim, attempt: Attempt, right: bool) -> str:
    checks = (
        (attempt.locked, "locked"),
        (asked.tenant is None, "unknown_organisation"),
        (asked.user is None, "unknown_user"),
        (not right, "wrong_password"),
        (asked.user is not None and not asked.user.is_active, "disabled"),
        (asked.tenant is not None and asked.tenant.state != Tenant.State.READY, "tenant_not_ready"),
    )
    return next((reason for failed, reason in checks if failed), "")


@transaction.atomic
def record_refusal(asked: Claim, reason: str, **details: Any) -> None:
    """Audit a refused sign-in: in the chain of the named tenant, and in System's when there is no such tenant.

    Also because a refusal that writes no row would answer sooner, and so tell which organisations there are.
    """
    tenant = asked.tenant or tenant_named("master")
    if tenant is None:
        return
    append(
        tenant_id=tenant.pk,
        actor="anonymous",
        action="user.sign_in_refused",
        target_type="user",
        target_id=str(asked.user.pk) if asked.user else "",
        details={"organisation": asked.organisation, "username": asked.username[:150], "reason": reason, **details},
    )

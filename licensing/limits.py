"""From the four service limits to what is left: pure arithmetic (domain L2–L5, C24, C25)."""

from dataclasses import dataclass
from typing import Protocol

from core.outcomes import Reason
from licensing.gates import Limit

SECONDS = 60


class FourLimits(Protocol):
    """The fields of a tenant's service limits, in minutes; None is unlimited."""

    user_month: int | None
    user_lifetime: int | None
    org_month: int | None
    org_lifetime: int | None
    per_user: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What is reserved or used, in seconds: in the month, and ever."""

    month: int = 0
    lifetime: int = 0


def pool(minutes: int | None, accepted: int) -> int | None:
    """Seconds of the pool: minutes per user × accepted users; None is unlimited."""
    return None if minutes is None else minutes * SECONDS * accepted


def shared(limits: FourLimits, minutes: int | None, accepted: int) -> int | None:
    """What all users together may take of a limit per user, in seconds; None is unlimited.

    Where each user has his own maximum there is no such sum (domain C24), unless that maximum is nothing at all.
    """
    return None if minutes and limits.per_user != "pool" else pool(minutes, accepted)


def _seconds(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * SECONDS


def org_limits(limits: FourLimits, accepted: int, taken: Counters) -> list[Limit]:
    """The limits that count for the whole tenant: the pools, unless every user has his own, and the org caps."""
    found = [
        (Reason.LIMIT_USER_MONTH, shared(limits, limits.user_month, accepted), taken.month),
        (Reason.LIMIT_ORG_MONTH, _seconds(limits.org_month), taken.month),
        (Reason.LIMIT_USER_LIFETIME, shared(limits, limits.user_lifetime, accepted), taken.lifetime),
        (Reason.LIMIT_ORG_LIFETIME, _seconds(limits.org_lifetime), taken.lifetime),
    ]
    return [Limit(reason, allowed, used) for reason, allowed, used in found if allowed is not None]


def own_limits(limits: FourLimits, taken: Counters) -> list[Limit]:
    """The limits of one user where each has his own maximum (domain C24)."""
    if limits.per_user == "pool":
        return []
    found = [
        (Reason.LIMIT_USER_MONTH, _seconds(limits.user_month), taken.month),
        (Reason.LIMIT_USER_LIFETIME, _seconds(limits.user_lifetime), taken.lifetime),
    ]
    return [Limit(reason, allowed, used) for reason, allowed, used in found if allowed is not None]


def month_limit(limits: FourLimits, accepted: int) -> int | None:
    """The effective limit of a month in seconds, for all users together: the smaller of pool and org cap.

    None is unlimited, as far as all together go: each user may still have his own maximum.
    """
    caps = [cap for cap in (shared(limits, limits.user_month, accepted), _seconds(limits.org_month)) if cap is not None]
    return min(caps) if caps else None


def lifetime_limit(limits: FourLimits, accepted: int) -> int | None:
    """As ``month_limit``, for ever."""
    pooled = shared(limits, limits.user_lifetime, accepted)
    caps = [cap for cap in (pooled, _seconds(limits.org_lifetime)) if cap is not None]
    return min(caps) if caps else None

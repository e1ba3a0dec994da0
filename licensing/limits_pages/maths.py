"""What four limits come to for one tenant as it stands: the figures beside the form. Pure arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from licensing.amounts import minutes_text
from licensing.limits import SECONDS, FourLimits, lifetime_limit, month_limit, shared
from licensing.models import Entitlement
from licensing.periods import day_of, next_month_start
from licensing.selectors import Standing


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sides, month or lifetime; minutes per user in minutes, all else in seconds, None is unlimited."""

    per_user: int | None
    pool: int | None
    cap: int | None
    effective: int | None
    used: int
    reserved: int

    @property
    def left(self) -> int | None:
        """What may still be reserved; never below zero (domain C25)."""
        return None if self.effective is None else max(self.effective - self.used - self.reserved, 0)

    @property
    def exhausted(self) -> bool:
        """Whether every further request is denied."""
        return self.left == 0


@dataclass(frozen=True, slots=True)
class Maths:
    """Both sides, the people that the pool counts, and when the month is over.

    ``own``: each user has his own maximum, so there is no pool and the effective limit is that of the organisation.
    """

    licensed: int
    accepted: int
    seats: int | None
    month: Side
    lifetime: Side
    own: bool
    resets_at: datetime
    zone: str

    @property
    def resets_on(self) -> date:
        """The local day on which the next month begins."""
        return day_of(self.resets_at, self.zone)

    def rows(self) -> list[tuple[str | Promise, str, str]]:
        """Label, month and lifetime, as they are shown."""
        both = (self.month, self.lifetime)
        found: list[tuple[str | Promise, Sequence[int | None]]] = [
            (_("Minutes per user"), [None if s.per_user is None else s.per_user * SECONDS for s in both]),
            *([] if self.own else [(_("Pool of all accepted users"), [s.pool for s in both])]),
            (_("Cap of the organisation"), [s.cap for s in both]),
            (_("Limit of all users together") if self.own else _("Effective limit"), [s.effective for s in both]),
            (_("Used"), [s.used for s in both]),
            (_("Reserved"), [s.reserved for s in both]),
            (_("Left"), [s.left for s in both]),
        ]
        return [(label, minutes_text(month), minutes_text(ever)) for label, (month, ever) in found]


def maths(now: Standing, limits: FourLimits) -> Maths:
    """The figures of ``limits`` for a tenant that stands as ``now``."""
    return Maths(
        licensed=len(now.ranks),
        accepted=now.accepted,
        seats=now.seats,
        month=Side(
            per_user=limits.user_month,
            pool=shared(limits, limits.user_month, now.accepted),
            cap=_seconds(limits.org_month),
            effective=month_limit(limits, now.accepted),
            used=now.used.month,
            reserved=now.taken.month - now.used.month,
        ),
        lifetime=Side(
            per_user=limits.user_lifetime,
            pool=shared(limits, limits.user_lifetime, now.accepted),
            cap=_seconds(limits.org_lifetime),
            effective=lifetime_limit(limits, now.accepted),
            used=now.used.lifetime,
            reserved=now.taken.lifetime - now.used.lifetime,
        ),
        own=limits.per_user == Entitlement.PerUser.HARD,
        resets_at=next_month_start(now.period, now.zone),
        zone=now.zone,
    )


def lowered_to_nothing(old: Side, new: Side) -> bool:
    """Whether the change takes away the last second that was left."""
    lowered = new.effective is not None and (old.effective is None or new.effective < old.effective)
    return lowered and new.exhausted


def _seconds(minutes: int | None) -> int | None:
    return None if minutes is None else minutes * SECONDS

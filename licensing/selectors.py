"""Who holds which licence, who has a seat, and what a tenant may use."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from django.db import connection
from django.db.models.functions import Collate

from accounts.models import User
from licensing.gates import Seat
from licensing.limits import Counters
from licensing.models import Bundle, Entitlement, Meter, SeatLimit, UserLicence
from licensing.periods import month_start, settled_month
from tenants.models import Tenant

METERED_BUNDLE = {Meter.TRANSCRIPTION_SECONDS: Bundle.SPEECH_ANALYTICS}


def licensed_users(user_ids: Iterable[uuid.UUID], bundle: Bundle) -> set[uuid.UUID]:
    """Those of ``user_ids`` that hold ``bundle``: one query for a whole batch."""
    return set(UserLicence.objects.filter(user_id__in=user_ids, bundle=bundle).values_list("user_id", flat=True))


def ranked_users(tenant_id: uuid.UUID, bundle: Bundle) -> list[uuid.UUID]:
    """The active licensed users in the order of their seats: casefolded user name by code point, then id (C26)."""
    rows = User.objects.filter(tenant_id=tenant_id, is_active=True, licences__bundle=bundle)
    # "C" compares the bytes of UTF-8, which is the order of code points, whatever the locale of the database.
    return list(rows.order_by(Collate("username_key", "C"), "pk").values_list("pk", flat=True))


@dataclass(frozen=True)
class Standing:
    """What a tenant may use of one meter at one instant, and the numbers that a reservation must still find."""

    tenant_id: uuid.UUID
    meter: Meter
    enabled: bool
    at: datetime
    period: str
    zone: str
    entitlements: int
    people: int
    limits: Entitlement
    seats: int | None
    taken: Counters
    used: Counters
    ranks: Mapping[uuid.UUID, int] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """How many licensed users have a seat."""
        return len(self.ranks) if self.seats is None else min(len(self.ranks), self.seats)

    def seat_of(self, user_id: uuid.UUID | None) -> Seat | None:
        """The seat of a licensed user, None for anybody else."""
        rank = self.ranks.get(user_id) if user_id is not None else None
        return None if rank is None else Seat(rank, self.seats)


STANDING = """
SELECT statement_timestamp(), t.state, t.time_zone, t.people_version, s.seats,
    coalesce(a.period, ''), coalesce(a.zone, 'UTC'), coalesce(a.entitlements, 0),
    coalesce(a.month_reserved, 0), coalesce(a.month_used, 0), coalesce(a.life_reserved, 0), coalesce(a.life_used, 0),
    e.user_month, e.user_lifetime, e.org_month, e.org_lifetime, coalesce(e.policy, 'drop'),
    coalesce(e.per_user, 'pool'), coalesce(e.month_zone, 'tenant'), coalesce(e.version, 0)
FROM tenants_tenant t
LEFT JOIN licensing_account a ON a.tenant_id = t.id AND a.meter = %(meter)s
LEFT JOIN licensing_entitlement e ON e.tenant_id = t.id
LEFT JOIN licensing_seatlimit s ON s.tenant_id = t.id AND s.bundle = %(bundle)s
WHERE t.id = %(tenant)s
"""


def standing(tenant_id: uuid.UUID, meter: Meter, *, at: datetime | None = None) -> Standing:
    """Everything that the gates of ``meter`` need, in one statement, so that all of it is of one moment.

    ``at`` is the instant of the request; by default the clock of the database. Raises Tenant.DoesNotExist.
    """
    bundle = METERED_BUNDLE[meter]
    with connection.cursor() as cursor:
        cursor.execute(STANDING, {"meter": meter, "bundle": bundle, "tenant": tenant_id})
        row = cursor.fetchone()
    if row is None:
        raise Tenant.DoesNotExist
    now, state, zone, people, seats, last, last_zone, entitlements, *counted = row
    month_reserved, month_used, life_reserved, life_used, *limits = counted
    rules = Entitlement(
        tenant_id=tenant_id,
        **dict(zip(("user_month", "user_lifetime", "org_month", "org_lifetime"), limits[:4], strict=True)),
        **dict(zip(("policy", "per_user", "month_zone", "version"), limits[4:], strict=True)),
    )
    wanted = "UTC" if rules.month_zone == Entitlement.MonthZone.UTC else zone
    period, month_zone = settled_month(at or now, period=last, zone=last_zone, wanted=wanted)
    # A clock that was set back does not lead back into a month that is over: it is that month's first instant then.
    moment = max(at or now, month_start(period, month_zone))
    same = period == last
    return Standing(
        tenant_id=tenant_id,
        meter=meter,
        enabled=state == Tenant.State.READY,
        at=moment,
        period=period,
        zone=month_zone,
        entitlements=entitlements,
        people=people,
        limits=rules,
        seats=seats,
        taken=Counters((month_reserved + month_used) if same else 0, life_reserved + life_used),
        used=Counters(month_used if same else 0, life_used),
        ranks=_ranks(tenant_id, bundle, entitlements, people),
    )


def _ranks(tenant_id: uuid.UUID, bundle: Bundle, entitlements: int, people: int) -> Mapping[uuid.UUID, int]:
    """The ranked list, kept in this process for as long as neither licences nor people change (domain C26)."""
    look_up: Callable[..., Mapping[uuid.UUID, int]] = _ranks_at
    if connection.in_atomic_block:
        # The numbers seen here may be rolled back and come again with other people behind them.
        look_up = _ranks_at.__wrapped__
    return look_up(connection.settings_dict["NAME"], tenant_id, bundle, entitlements, people)


@lru_cache(maxsize=256)
def _ranks_at(
    _database: str, tenant_id: uuid.UUID, bundle: Bundle, _entitlements: int, _people: int
) -> Mapping[uuid.UUID, int]:
    ranked = ranked_users(tenant_id, bundle)
    return MappingProxyType({user_id: rank for rank, user_id in enumerate(ranked, start=1)})


def seat_limits(tenant_id: uuid.UUID) -> dict[str, int]:
    """Seats by bundle, as far as they are limited."""
    return dict(SeatLimit.objects.filter(tenant_id=tenant_id).values_list("bundle", "seats"))

"""What the pages of users show of each: licences, seats and minutes, for a page of rows at once."""

import uuid
from collections.abc import Collection

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Collate, RowNumber
from django.shortcuts import get_object_or_404
from django.utils import timezone

from accounts.models import User
from licensing.gates import Seat
from licensing.models import Account, Bundle, DailyUsage, Meter, SeatLimit, UserLicence
from licensing.periods import month_of
from licensing.selectors import seat_limits
from tenants.models import Tenant
from tenants.selectors import visible_tenants

METER = Meter.TRANSCRIPTION_SECONDS

CUTS = """
SELECT s.tenant_id, s.bundle, c.username_key
FROM licensing_seatlimit s CROSS JOIN LATERAL (
    SELECT u.username_key FROM accounts_user u JOIN licensing_userlicence l ON l.user_id = u.id
    WHERE u.tenant_id = s.tenant_id AND u.is_active AND l.bundle = s.bundle
    ORDER BY u.username_key COLLATE "C", u.id OFFSET s.seats LIMIT 1
) c
WHERE s.tenant_id = ANY(%(tenants)s)
"""


def users_for_pages(viewer: User) -> QuerySet[User]:
    """The users of the tenants that ``viewer`` sees, with ``held``: the codes of their licences."""
    licences = UserLicence.objects.filter(user=OuterRef("pk")).order_by("bundle").values("bundle")
    return User.objects.filter(tenant__in=visible_tenants(viewer)).annotate(held=ArraySubquery(licences))


def user_for_pages(viewer: User, pk: uuid.UUID) -> User:
    """One of them. Raises Http404, the same for an unknown and a foreign one."""
    return get_object_or_404(users_for_pages(viewer), pk=pk)


def cut_names(tenant_ids: Collection[uuid.UUID]) -> dict[tuple[uuid.UUID, str], str]:
    """By tenant and bundle: the first user name over the cap, where there is one (domain §4.4).

    User names are unique in a tenant, so whoever comes at or after it in the order of code points has no seat.
    """
    with connection.cursor() as cursor:
        cursor.execute(CUTS, {"tenants": list(tenant_ids)})
        return {(tenant_id, bundle): key for tenant_id, bundle, key in cursor.fetchall()}


def over_cap(bundle: str = "", tenants: QuerySet[Tenant] | None = None) -> QuerySet[UserLicence]:
    """The licences without a seat, as ids of users; of one bundle or of any."""
    rows = UserLicence.objects.filter(user__is_active=True)
    rows = rows.filter(bundle=bundle) if bundle else rows
    rows = rows if tenants is None else rows.filter(user__tenant__in=tenants)
    limits = SeatLimit.objects.filter(tenant=OuterRef("user__tenant"), bundle=OuterRef("bundle")).values("seats")
    order = [Collate("user__username_key", "C"), F("user_id")]
    place = Window(RowNumber(), partition_by=[F("user__tenant"), F("bundle")], order_by=order)  # type: ignore[arg-type]
    ranked = rows.annotate(seats=Subquery(limits)).filter(seats__isnull=False).annotate(place=place)
    return ranked.filter(place__gt=F("seats")).values("user_id")  # type: ignore[return-value]


def minutes_used(users: Collection[User]) -> dict[uuid.UUID, int]:
    """Seconds charged to each of ``users`` in the month that runs in his tenant; nobody at zero."""
    now = timezone.now()
    tenants = {user.tenant_id for user in users}
    accounts = Account.objects.filter(tenant__in=tenants, meter=METER).exclude(period="")
    # A month that has ended stays on the account until the next one's first reservation.
    periods = {row.tenant_id: row.period for row in accounts if month_of(now, row.zone) <= row.period}
    rows = DailyUsage.objects.filter(
        tenant__in=periods, meter=METER, period__in=set(periods.values()), user_id__in=[user.pk for user in users]
    )
    sums = rows.values("tenant_id", "user_id", "period").annotate(seconds=Sum("used"))
    return {row["user_id"]: row["seconds"] for row in sums if row["period"] == periods[row["tenant_id"]]}


def seats_of(user: User) -> dict[Bundle, Seat | None]:
    """For each licence of ``user`` the rank and the seats; None while he is disabled and so ranked nowhere."""
    held = [Bundle(code) for code in UserLicence.objects.filter(user=user).values_list("bundle", flat=True)]
    if not user.is_active:
        return dict.fromkeys(held)
    before = (
        UserLicence.objects.filter(user__tenant=user.tenant_id, user__is_active=True, bundle__in=held)
        .alias(key=Collate("user__username_key", "C"))
        .filter(key__lt=user.username_key)
        .values("bundle")
        .annotate(number=Count("pk"))
    )
    ranks = {row["bundle"]: row["number"] for row in before}
    limits = seat_limits(user.tenant_id)
    return {bundle: Seat(ranks.get(bundle, 0) + 1, limits.get(bundle)) for bundle in held}

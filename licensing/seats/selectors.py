"""Reading seats: the ranked list, how many hold what, and the figures of tenants."""

import uuid

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    F,
    FloatField,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models import CharField as Text
from django.db.models.functions import Cast, Coalesce, Collate, Least, Now, NullIf, RowNumber

from accounts.models import User
from licensing.models import Account, Bundle, Entitlement, Meter, SeatLimit, UserLicence
from licensing.selectors import METERED_BUNDLE
from tenants.models import Tenant

METER = Meter.TRANSCRIPTION_SECONDS


def ranked_for_pages(tenant_id: uuid.UUID, bundle: Bundle) -> QuerySet[User]:
    """The active holders with ``place``, from 1: in the order of ``licensing.selectors.ranked_users`` (C26)."""
    order = [Collate("username_key", "C").asc(), F("pk").asc()]
    rows = User.objects.filter(tenant_id=tenant_id, is_active=True, licences__bundle=bundle)
    return rows.annotate(place=Window(RowNumber(), order_by=order)).order_by(*order)


def place_of(tenant_id: uuid.UUID, bundle: Bundle, username_key: str) -> int:
    """The rank that this user name has, or would have."""
    rows = User.objects.filter(tenant_id=tenant_id, is_active=True, licences__bundle=bundle)
    return rows.alias(key=Collate("username_key", "C")).filter(key__lt=username_key).count() + 1


def holders_by_bundle(tenant_id: uuid.UUID) -> dict[str, int]:
    """How many enabled users hold each licence."""
    rows = UserLicence.objects.filter(user__tenant=tenant_id, user__is_active=True)
    return dict(rows.values_list("bundle").annotate(number=Count("pk")))


def with_figures(tenants: QuerySet[Tenant]) -> QuerySet[Tenant]:
    """Tenants with what the list shows, in one query, so that it can be sorted by each.

    ``people``: users. ``holders``, ``seats``, ``accepted``: of Speech analytics; seats None is unlimited.
    ``used``: seconds charged in the month that runs; ``allowed``: the effective limit in seconds, None unlimited;
    ``share``: used in percent of it.
    """
    bundle = METERED_BUNDLE[METER]
    mine = {"tenant": OuterRef("pk")}
    holders = UserLicence.objects.filter(user__tenant=OuterRef("pk"), user__is_active=True, bundle=bundle)
    number = holders.order_by().values("user__tenant").annotate(n=Count("pk")).values("n")
    people = User.objects.filter(**mine).order_by().values("tenant").annotate(n=Count("pk")).values("n")
    # A month that has ended stays on the account until the next one's first reservation.
    local = Func(Func(F("zone"), Now(), function="timezone"), Value("YYYY-MM"), function="to_char", output_field=Text())
    account = Account.objects.filter(**mine, meter=METER).annotate(local=local).filter(local__lte=F("period"))
    limits = Entitlement.objects.filter(**mine)
    big = BigIntegerField()
    pool = Case(
        # As licensing.limits.shared: a maximum of each user's own is no sum, unless it is nothing.
        When(
            Q(per_user=Entitlement.PerUser.POOL) | Q(user_month=0),
            then=Cast(F("user_month"), big) * 60 * F("accepted"),
        ),
        default=None,
        output_field=big,
    )
    figures = tenants.annotate(
        people=Coalesce(Subquery(people), 0),
        holders=Coalesce(Subquery(number), 0),
        seats=Subquery(SeatLimit.objects.filter(**mine, bundle=bundle).values("seats")),
        used=Coalesce(Subquery(account.values("month_used")), 0, output_field=big),
        per_user=Subquery(limits.values("per_user")),
        user_month=Subquery(limits.values("user_month")),
        org_month=Subquery(limits.values("org_month")),
    )
    # LEAST leaves out what is NULL: unlimited.
    figures = figures.annotate(accepted=Least("holders", "seats", output_field=IntegerField()))
    figures = figures.annotate(allowed=Least(pool, Cast(F("org_month"), big) * 60, output_field=big))
    share = Cast(F("used"), FloatField()) * 100 / NullIf(Cast(F("allowed"), FloatField()), Value(0.0))
    return figures.annotate(share=share)

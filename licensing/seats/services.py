"""Changing how many seats a tenant has."""

from collections.abc import Mapping

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.permissions import Permission
from audit.rivals import whose_change
from audit.services import append, changes
from core.errors import Conflict, InvalidInput, NotAllowed
from licensing.models import MAX_SEATS, Bundle, SeatLimit
from licensing.seats.effects import Effect, demand_confirmed, effect_of, holders_of
from licensing.selectors import seat_limits
from licensing.statements import entitlements_changed
from tenants.models import Tenant

ACTION = "licence_limits.changed"
Seats = Mapping[str, int | None]


@transaction.atomic
def save_seats(*, tenant: Tenant, seen: Seats, seats: Seats, editor: User, confirmed: str = "") -> list[Effect]:
    """Set the seats of each bundle (None: unlimited) and return what that did; nothing changed: no audit row.

    ``seen`` are those that the editor saw: Conflict, which says who changed what, when they are others by now
    (hostile 3F7). Raises InvalidInput naming the bundle, NotAllowed without the right, and SeatsExceeded while people
    would lose service and ``confirmed`` does not name this effect (domain C45).
    """
    if not editor.has(Permission.LICENCE_LIMITS_EDIT):
        raise NotAllowed(editor.lacking(Permission.LICENCE_LIMITS_EDIT))
    if tenant.state == Tenant.State.DELETED:
        raise Conflict(_("The tenant is deleted and cannot be changed any more."))
    for code, number in seats.items():
        if number is not None and not 0 <= number <= MAX_SEATS:
            raise InvalidInput(code, _("Seats are a whole number from 0 to %(limit)s.") % {"limit": f"{MAX_SEATS:,}"})
    # Takes the account's lock: two editors, and reservations, wait for each other from here on.
    entitlements_changed(tenant.pk)
    stored = seat_limits(tenant.pk)
    if any(stored.get(code) != seen.get(code) for code in Bundle.values):
        raise Conflict(_whose_change(tenant))
    changed = {Bundle(code): number for code, number in seats.items() if stored.get(code) != number}
    effects = [
        effect_of(bundle, holders_of(tenant.pk, bundle), seats=stored.get(bundle), new_seats=number)
        for bundle, number in changed.items()
    ]
    demand_confirmed(effects, confirmed)
    if not changed:
        return []
    SeatLimit.objects.filter(tenant=tenant, bundle__in=changed).delete()
    SeatLimit.objects.bulk_create(
        SeatLimit(tenant=tenant, bundle=bundle, seats=number)
        for bundle, number in changed.items()
        if number is not None
    )
    before, after = changes({code: stored.get(code) for code in changed}, {code: seats[code] for code in changed})
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action=ACTION,
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"losing": {effect.bundle.value: len(effect.losing) for effect in effects if effect.losing}},
        before=before,
        after=after,
    )
    return effects


def _whose_change(tenant: Tenant) -> str:
    """What stands above the form of the second of two people who saved it."""
    return whose_change(
        tenant_id=tenant.pk,
        target_type="tenant",
        target_id=str(tenant.pk),
        actions=[ACTION],
        since=None,
        words=lambda code, number: f"{Bundle(code).label}: {_('unlimited') if number is None else number}",
        otherwise=_("The seats were changed in the meantime. Reload the page and try again."),
    )

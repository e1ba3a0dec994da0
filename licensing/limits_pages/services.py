"""Changing a tenant's service limits."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from audit.rivals import whose_change
from audit.services import append, changes
from core.errors import Conflict
from core.moves import move
from core.validation import cleaned
from licensing.amounts import minutes_text
from licensing.limits_pages.maths import Maths, lowered_to_nothing, maths
from licensing.models import Entitlement, Meter
from licensing.selectors import standing
from licensing.statements import entitlements_changed
from tenants.models import Tenant

ACTION = "service_limits.changed"
LIMITS = ("user_month", "user_lifetime", "org_month", "org_lifetime")
FIELDS = (*LIMITS, "policy", "per_user", "month_zone")


class BelowUsage(Exception):
    """The new limits lie below what is used: the person must say so once more. Nothing was stored."""

    def __init__(self, warnings: list[str], fingerprint: str) -> None:
        super().__init__(warnings)
        self.warnings, self.fingerprint = warnings, fingerprint


def stored_limits(tenant: Tenant) -> Entitlement:
    """The tenant's limits; unlimited where none were ever set."""
    return Entitlement.objects.filter(tenant=tenant).first() or Entitlement(tenant=tenant)


@transaction.atomic
def save_limits(*, tenant: Tenant, version: int, values: Mapping[str, Any], actor: str, confirmed: str = "") -> bool:
    """Store the limits (whole minutes, None: unlimited) and how they are applied; False when nothing differs.

    From the commit on no reservation is granted by the old limits (R12), and held records look again. Raises
    InvalidInput naming the field, Conflict, which says who changed what, when ``version`` is not the stored one, and
    BelowUsage while nothing would be left and ``confirmed`` does not name these values.
    """
    if tenant.state == Tenant.State.DELETED:
        raise Conflict(_("The tenant is deleted and cannot be changed any more."))
    wanted = {name: values[name] for name in FIELDS}
    blank = [name for name in LIMITS if wanted[name] is None]
    cleaned(Entitlement(tenant=tenant, **wanted), clash_field="org_month", exclude=["tenant", *blank])
    # Takes the account's lock: two editors, and reservations, wait for each other from here on.
    entitlements_changed(tenant.pk)
    old, _made = Entitlement.objects.get_or_create(tenant=tenant)
    if old.version != version:
        raise Conflict(_whose_change(tenant, version))
    before, after = changes({name: getattr(old, name) for name in FIELDS}, wanted)
    if not after:
        return False
    _demand_confirmed(old, Entitlement(tenant=tenant, **wanted), confirmed)
    move(Entitlement.objects.filter(pk=old.pk, version=version), version=version + 1, **wanted)
    append(
        tenant_id=tenant.pk,
        actor=actor,
        action=ACTION,
        target_type="tenant",
        target_id=str(tenant.pk),
        details={"version": version + 1},
        before=before,
        after=after,
    )
    return True


def _demand_confirmed(old: Entitlement, new: Entitlement, confirmed: str) -> None:
    now = standing(new.tenant_id, Meter.TRANSCRIPTION_SECONDS)
    warnings = warnings_of(maths(now, old), maths(now, new), new)
    values = "\x1f".join(str(getattr(new, name)) for name in FIELDS)
    fingerprint = hashlib.sha256(values.encode()).hexdigest()[:16]
    if warnings and confirmed != fingerprint:
        raise BelowUsage(warnings, fingerprint)


def warnings_of(old: Maths, new: Maths, limits: Entitlement) -> list[str]:
    """What the change does to the work that comes next, where it takes away all that was left."""
    held = limits.policy == Entitlement.Policy.HOLD
    found = []
    if lowered_to_nothing(old.month, new.month):
        text = (
            _(
                "This month %(used)s of the new %(limit)s minutes are used or reserved: all further requests are held until %(day)s."
            )
            if held
            else _(
                "This month %(used)s of the new %(limit)s minutes are used or reserved: "
                "all further requests are denied until %(day)s."
            )
        )
        day = f"{date_format(new.resets_on)} ({new.zone})"
        found.append(text % {**_amounts(new.month.used + new.month.reserved, new.month.effective), "day": day})
    if lowered_to_nothing(old.lifetime, new.lifetime):
        text = (
            _(
                "%(used)s of the new %(limit)s lifetime minutes are used or reserved: all requests are held until it is raised."
            )
            if held
            else _(
                "%(used)s of the new %(limit)s lifetime minutes are used or reserved: all requests are denied until it is raised."
            )
        )
        found.append(text % _amounts(new.lifetime.used + new.lifetime.reserved, new.lifetime.effective))
    return found


def _amounts(taken: int, limit: int | None) -> dict[str, str]:
    return {"used": minutes_text(taken), "limit": minutes_text(limit)}


def _whose_change(tenant: Tenant, version: int) -> str:
    """What stands above the form of the second of two people who saved it."""
    return whose_change(
        tenant_id=tenant.pk,
        target_type="tenant",
        target_id=str(tenant.pk),
        actions=[ACTION],
        since=version,
        words=lambda name, value: f"{_label(name)}: {_shown(name, value)}",
        otherwise=_("The limits were changed in the meantime. Reload the page and try again."),
    )


def _label(name: str) -> str:
    return str(Entitlement._meta.get_field(name).verbose_name)  # type: ignore[union-attr]


def _shown(name: str, value: Any) -> str:
    if name in LIMITS:
        return _("unlimited") if value is None else f"{value:,}"
    return str(dict(Entitlement._meta.get_field(name).flatchoices).get(value, value))  # type: ignore[union-attr]

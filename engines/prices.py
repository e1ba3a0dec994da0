"""Changing the prices of engines: the same rules for every family. Costs are made of them in the families."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import append
from core.errors import Conflict, InvalidInput
from engines.families import family_of
from engines.models import PriceRow
from tenants.models import Tenant

CURRENCY = re.compile(r"[A-Z]{3}")
# ISO 4217 for none: that of prices which were named before currencies were asked for.
NO_CURRENCY = "XXX"


def add_price(*, engine: Any, values: dict[str, Any], amounts: Iterable[str], actor: str, audit_tenant: Tenant) -> Any:
    """Add a price row with its audit row. ``values``: the fields of the family's price model but engine.

    ``amounts`` names those of them that are money. Raises InvalidInput naming the field: an amount that is negative or no
    number, a currency that is none or not that of the engine's other prices, a second price from the same day on.
    """
    family = family_of(engine)
    for name in amounts:
        amount = values.get(name)
        if not isinstance(amount, Decimal) or not amount.is_finite() or amount < 0:
            raise InvalidInput(name, _("A price cannot be negative."))
    if not CURRENCY.fullmatch(values["currency"]):
        raise InvalidInput("currency", _("Use three capital letters, for example EUR."))
    prices = family.price_model.objects
    if prices.filter(engine=engine).exclude(currency__in=(values["currency"], NO_CURRENCY)).exists():
        raise InvalidInput("currency", _("The other prices of the engine are in another currency."))
    try:
        with transaction.atomic():
            price = prices.create(engine=engine, **values)
            _audit("added", price, actor, audit_tenant)
    except IntegrityError:
        raise InvalidInput("valid_from", _("There is such a price from this day on.")) from None
    return price


@transaction.atomic
def delete_price(*, price: Any, actor: str, audit_tenant: Tenant) -> None:
    """Delete a price that does not hold yet. Raises Conflict for others: they explain what was spent."""
    coming = type(price).objects.filter(pk=price.pk, valid_from__gt=today())
    if not coming.delete()[0]:
        raise Conflict(_("This price holds already, so it stays. Add one with a later day instead."))
    _audit("deleted", price, actor, audit_tenant)


def today() -> date:
    """The day by which prices hold: that of UTC, wherever the viewer is."""
    return timezone.now().date()


def in_force(prices: Iterable[PriceRow], day: date) -> frozenset[int]:
    """The keys of the rows that hold on ``day``: of all for the same, the newest that has begun."""
    newest = {price.subject: price.pk for price in sorted(prices, key=_since) if price.valid_from <= day}
    return frozenset(newest.values())


def _since(price: PriceRow) -> date:
    return price.valid_from


def _audit(verb: str, price: Any, actor: str, audit_tenant: Tenant) -> None:
    family = family_of(price.engine)
    told = {name: str(getattr(price, name)) for name in price.told if getattr(price, name) is not None}
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action=f"{family.price_key}.{verb}",
        target_type=family.key,
        target_id=str(price.engine.pk),
        details={"name": price.engine.name, **told},
    )

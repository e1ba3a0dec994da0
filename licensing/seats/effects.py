"""What a change of seats, licences or users does to who is served (domain §4.4, C45): pure but for one reader."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from core.errors import Conflict
from core.pages import stamp_of
from licensing.models import Bundle


@dataclass(frozen=True, slots=True)
class Holder:
    """An active user with the licence; holders are ranked by user name, then id (domain C26)."""

    key: str
    pk: uuid.UUID
    username: str
    full_name: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """What is compared: code points, as the database's "C" does, then the id."""
        return self.key, self.pk.int


@dataclass(frozen=True, slots=True)
class Effect:
    """What one change does to one bundle. ``seats`` are those afterwards; None is unlimited.

    ``losing`` keep their licence and lose their seat, ``without`` newly hold the licence and get no seat, ``gaining``
    get a seat that they had not.
    """

    bundle: Bundle
    seats: int | None
    holders: int
    losing: tuple[Holder, ...] = ()
    without: tuple[Holder, ...] = ()
    gaining: tuple[Holder, ...] = ()

    @property
    def harmful(self) -> bool:
        """Whether somebody holds a licence that does nothing afterwards, because of this change."""
        return bool(self.losing or self.without)

    def sentence(self) -> str:
        """What is asked before it is done."""
        parts = []
        if self.losing:
            number = len(self.losing)
            text = ngettext(
                "%(n)s user over the seat cap loses service", "%(n)s users over the seat cap lose service", number
            )
            parts.append(text % {"n": f"{number:,}"})
        if self.without:
            number = len(self.without)
            text = ngettext(
                "%(n)s user gets the licence without a seat", "%(n)s users get the licence without a seat", number
            )
            parts.append(text % {"n": f"{number:,}"})
        return f"{self.bundle.label}: " + ", ".join(parts) + "."


class SeatsExceeded(Conflict):
    """The change would leave people without service and was not confirmed; nothing is stored.

    Calling the service again with ``confirmed`` = ``fingerprint`` does it, as long as the effect is still the same.
    """

    code = "seats_exceeded"

    def __init__(self, effects: Sequence[Effect]) -> None:
        super().__init__(" ".join([*(effect.sentence() for effect in effects), _("Nothing was saved.")]))
        self.effects = list(effects)
        self.fingerprint = fingerprint_of(effects)


def fingerprint_of(effects: Iterable[Effect]) -> str:
    """A short name of exactly this effect."""
    parts = [(e.bundle, *(h.pk for h in e.losing), "|", *(h.pk for h in e.without)) for e in effects]
    return stamp_of(*(item for part in parts for item in part))[3:-1]


def demand_confirmed(effects: Iterable[Effect], confirmed: str) -> None:
    """Raise SeatsExceeded when one of the effects is harmful and ``confirmed`` does not name exactly these."""
    harmful = [effect for effect in effects if effect.harmful]
    if harmful and confirmed != fingerprint_of(harmful):
        raise SeatsExceeded(harmful)


def holders_of(tenant_id: uuid.UUID, bundle: Bundle) -> list[Holder]:
    """The active holders of a licence, by rank."""
    rows = User.objects.filter(tenant_id=tenant_id, is_active=True, licences__bundle=bundle)
    values = rows.order_by().values_list("username_key", "pk", "username", "full_name")
    return sorted((Holder(*row) for row in values), key=lambda holder: holder.place)


def effect_of(
    bundle: Bundle,
    before: Sequence[Holder],
    *,
    seats: int | None,
    new_seats: int | None,
    add: Collection[Holder] = (),
    remove: Collection[uuid.UUID] = (),
) -> Effect:
    """Compare who has a seat now with who has one when ``add`` have come, ``remove`` gone and the seats changed.

    Somebody who is renamed is removed and added. ``before`` is in the order of ranks.
    """
    leaving, coming = set(remove), {holder.pk for holder in add}
    after = sorted(
        [*(holder for holder in before if holder.pk not in leaving and holder.pk not in coming), *add],
        key=lambda holder: holder.place,
    )
    held = {holder.pk for holder in before}
    had = {holder.pk for holder in before[:seats]}
    has = {holder.pk for holder in after[:new_seats]}
    out = [holder for holder in after if holder.pk not in has]
    return Effect(
        bundle=bundle,
        seats=new_seats,
        holders=len(after),
        losing=tuple(holder for holder in out if holder.pk in had),
        without=tuple(holder for holder in out if holder.pk not in held),
        gaining=tuple(holder for holder in after if holder.pk in has and holder.pk not in had),
    )

"""The gates of metered work: pure functions in the order of domain §4.3, used by passes, previews and "Why?"."""

from dataclasses import dataclass

from core.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What the gates must know about one record. ``None`` means that no such rule is set."""

    tenant_enabled: bool
    licensed: bool
    seat_accepted: bool | None = None
    limit_reached: Reason | None = None


def judge(facts: Entitlement) -> Reason | None:
    """Return why the record may not be processed, or None when every gate lets it pass.

    The order is binding: tenant enabled → user licence → seat → service limits.
    """
    if not facts.tenant_enabled:
        return Reason.TENANT_DISABLED
    if not facts.licensed:
        return Reason.NO_LICENSE
    if facts.seat_accepted is False:
        return Reason.SEAT_EXCEEDED
    return facts.limit_reached

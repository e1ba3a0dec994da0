"""Rules and firings as far as somebody may see them. Reads only."""

from typing import Any

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from accounts.permissions import AccessScope
from alerts.models import AlertRule, Firing, Measure
from tenants.selectors import visible_tenants

# What home says by itself, with or without a rule.
SAID_ANYWAY = (Measure.ENGINE, Measure.QUEUE_UNREAD, Measure.WORKERS, Measure.LIMIT, Measure.TRANSACTION)


def sees_all_rules(user: User) -> bool:
    """Staff for all tenants, not viewing as one of them."""
    return user.scope == AccessScope.SYSTEM and user.viewing is None


def rules_for(user: User) -> QuerySet[AlertRule]:
    """All rules, or those about one of the tenants that ``user`` sees; with ``pending`` and ``firing`` subjects."""
    rules = AlertRule.objects.all()
    if not sees_all_rules(user):
        rules = rules.filter(tenant__in=visible_tenants(user))
    counts: dict[str, Any] = {
        state.value: Count("firings", filter=Q(firings__state=state))
        for state in (Firing.State.PENDING, Firing.State.FIRING)
    }
    return rules.select_related("tenant", "job", "engine").annotate(**counts)


def firings_for(user: User) -> QuerySet[Firing]:
    """The history of those rules; what is only pending is none yet."""
    firings = Firing.objects.exclude(state=Firing.State.PENDING).select_related("rule", "rule__tenant")
    if not sees_all_rules(user):
        firings = firings.filter(rule__tenant__in=visible_tenants(user))
    return firings


def firing_now(user: User, most: int) -> list[Firing]:
    """What fires and is not snoozed, but for what home says anyway; the newest first."""
    firings = firings_for(user).filter(state=Firing.State.FIRING, snoozed_by="")
    return list(firings.exclude(rule__measure__in=SAID_ANYWAY).order_by("-pk")[:most])

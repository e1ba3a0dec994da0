"""What the rails keep of a deleted tenant is destroyed. What it spent stays: that is about money."""

import uuid

from aiassistant.rails.models import Budget, DailyOutcome, TenantRate
from licensing.spending.models import SpendHold


def purge_rails(tenant_id: uuid.UUID) -> int:
    """Delete its budgets, rate, holds and outcomes; return how many rows."""
    return sum(
        model.objects.filter(tenant=tenant_id).delete()[0] for model in (Budget, TenantRate, DailyOutcome, SpendHold)
    )

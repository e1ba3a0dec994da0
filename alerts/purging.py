"""What alerts remember of a deleted tenant is destroyed: rules about it, and what others found about its limits."""

import uuid

from django.db.models import Q

from alerts.models import AlertRule, Firing


def purge_rules(tenant_id: uuid.UUID) -> int:
    """Delete them; return how many rules there were."""
    about = Q(subject__startswith=f"limit:{tenant_id}:") | Q(subject=f"ai:{tenant_id}")
    Firing.objects.filter(about).delete()
    number = AlertRule.objects.filter(tenant=tenant_id).count()
    AlertRule.objects.filter(tenant=tenant_id).delete()
    return number

"""Records that a service limit holds back: they wake when the limits, seats or licences of their tenant change.

Enabling people who hold a licence is such a change: it raises the pool. What is at the provider for a suspended tenant
wakes when the tenant is resumed.
"""

from django.db import connection
from django.utils import timezone

from jobs.models import JobDefinition, Record

# The change became visible a little after the time it carries; who was judged in between is judged once more.
MARGIN_S = 10

WAKE = """
UPDATE jobs_record r SET next_at = statement_timestamp()
FROM licensing_account a
WHERE r.wait = 'limit' AND r.state = 'in_progress' AND r.next_at > statement_timestamp()
    AND a.tenant_id = r.tenant_id
    AND a.entitlements_changed_at > r.last_processed_at - make_interval(secs => %s)
"""


WAKE_RESUMED = """
UPDATE jobs_record r SET next_at = statement_timestamp()
FROM tenants_tenant t
WHERE r.wait = 'tenant' AND r.state = 'in_progress' AND r.next_at > statement_timestamp()
    AND r.lease_until IS NULL AND t.id = r.tenant_id AND t.state = 'ready'
"""


def wake_resumed() -> int:
    """Make records due whose tenant was suspended and is ready again; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(WAKE_RESUMED)
        return cursor.rowcount


def wake_held() -> int:
    """Make held records due whose tenant's entitlements changed since they were judged; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(WAKE, [MARGIN_S])
        return cursor.rowcount


def wake_postponed(job: JobDefinition) -> None:
    """Make records due that wait for a rate of ``job``, which was just changed; a pass asks the new rate."""
    waits = (Record.Wait.RATE_JOB, Record.Wait.RATE_TENANT)
    held = Record.objects.filter(job=job, state=Record.State.IN_PROGRESS, wait__in=waits, next_at__gt=timezone.now())
    held.update(next_at=timezone.now())

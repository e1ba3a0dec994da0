"""Showing on the business rows what became of records outside their tenant: by an operator, or while it was shut."""

import uuid
from collections import defaultdict

from django.db import transaction

from jobs.kinds import WAITING, kinds
from jobs.models import Record
from tenants.doors import TenantUnavailable, enter
from tenants.models import Tenant

BATCH = 500


def show_marks() -> int:
    """Write the state of marked records on their business rows, tenant by tenant; return how many.

    An operator's page runs inside his own tenant and cannot enter others: it leaves a mark with the record, in the
    same transaction, and this task follows it. A tenant that cannot be entered keeps its marks for later.
    """
    shown = 0
    by_tenant: dict[uuid.UUID, list[Record]] = defaultdict(list)
    for record in (
        Record.objects.filter(mark_due=True, tenant__state=Tenant.State.READY)
        .select_related("job")
        .order_by("pk")[:BATCH]
    ):
        by_tenant[record.tenant_id].append(record)
    tenants = Tenant.objects.in_bulk(list(by_tenant))
    for tenant_id in sorted(by_tenant.keys() & tenants.keys()):
        try:
            shown += _show(tenants[tenant_id], by_tenant[tenant_id])
        except TenantUnavailable:
            continue
    return shown


def _show(tenant: Tenant, records: list[Record]) -> int:
    with enter(tenant), transaction.atomic():
        # The fence: a record that moved on since it was read shows its newer state by itself.
        ids = [record.pk for record in records]
        locked = Record.objects.select_for_update().filter(pk__in=ids, mark_due=True).order_by("pk")
        fences = dict(locked.values_list("pk", "fence"))
        still = {record.pk for record in records if fences.get(record.pk) == record.fence}
        by_kind: dict[str, dict[uuid.UUID, tuple[str, str]]] = defaultdict(dict)
        for record in records:
            if record.pk in still:
                by_kind[record.job.kind][record.record_id] = (_shown(record), record.reason)
        for key, states in by_kind.items():
            kinds()[key].mark(tenant, states)
        return Record.objects.filter(pk__in=still, mark_due=True).update(mark_due=False)


def _shown(record: Record) -> str:
    """Its state; a new generation that nobody has begun waits."""
    begun = record.state != Record.State.IN_PROGRESS or record.stage != Record.Stage.NEW
    return record.state if begun else WAITING

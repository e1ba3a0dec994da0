"""Removing the values of fields that were deleted: nothing shows them any more, and they must not stay (ADR 0012)."""

from django.db import transaction

from conversations.field_models import FieldValue
from customfields.selectors import doomed_fields
from tenants.doors import current_tenant

SLICE = 5000


def sweep_values() -> int:
    """Delete the values of deleted fields in the tenant at hand, in slices of one short transaction each; return how many."""
    doomed, removed = doomed_fields(current_tenant().pk), 0
    while doomed:
        with transaction.atomic():
            ids = list(FieldValue.objects.filter(field_id__in=doomed).values_list("pk", flat=True)[:SLICE])
            number, _by_model = FieldValue.objects.filter(pk__in=ids).delete()
        removed += number
        if len(ids) < SLICE:
            break
    return removed

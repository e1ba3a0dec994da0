"""Reading values: those of a page of conversations in one query, the history of one, and who has which."""

import uuid
from collections.abc import Collection, Iterable

from conversations.field_models import FieldValue
from conversations.fields.records import Key
from customfields.models import CustomField
from tenants.querysets import TenantQuerySet

Current = FieldValue.Standing.CURRENT


def current_values(
    record_ids: Iterable[uuid.UUID], fields: Collection[CustomField]
) -> dict[tuple[uuid.UUID, int], FieldValue]:
    """The current versions by conversation and field, in one query; none without fields. Emptied ones are among them.

    Calls and threads share one space of ids, so a page or a batch may hold both.
    """
    if not fields:
        return {}
    rows = FieldValue.objects.filter(record_id__in=list(record_ids), field__in=fields, standing=Current)
    return {(row.record_id, row.field_id): row for row in rows}


def history_of(key: Key, field: CustomField) -> TenantQuerySet:
    """Every version of one value, newest first."""
    versions: TenantQuerySet = FieldValue.objects.filter(record_type=key[0], record_id=key[1], field=field)
    return versions.order_by("-pk")

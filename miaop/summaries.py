"""What is known about a meeting beside its words: values of custom fields, by the rights of the grid."""

from datetime import date
from decimal import Decimal
from typing import Any

from accounts.models import User
from conversations.fields.selectors import current_values
from customfields.models import Attribute
from customfields.selectors import VIEW_RIGHTS, fields_of
from miaop.models import Meeting
from queues.events import RecordType
from tenants.models import Tenant

NAMES = {
    Attribute.SUMMARY: "summary",
    Attribute.TOPICS: "topics",
    Attribute.SENTIMENT: "sentiment",
    Attribute.CUSTOM_FIELDS: "fields",
}


def summary_of(user: User, tenant: Tenant, meeting: Meeting) -> dict[str, list[dict[str, Any]]]:
    """``{name, type, value}`` of each field that has a value, under summary, topics, sentiment and fields.

    What the user has no right to see is not there at all. In the entered tenant.
    """
    held = [attribute for attribute, code in VIEW_RIGHTS.items() if user.has(code)]
    found: dict[str, list[dict[str, Any]]] = {NAMES[attribute]: [] for attribute in held}
    if meeting.call_id is None or not held:
        return found
    fields = list(fields_of(tenant.pk).filter(enabled=True, attribute__in=held))
    values = current_values([meeting.call_id], fields)
    for custom in fields:
        version = values.get((meeting.call_id, custom.pk))
        if version is None or version.empty or version.record_type != RecordType.CALL:
            continue
        value = {"name": custom.name, "type": custom.type, "value": _plain(version.value(custom))}
        found[NAMES[Attribute(custom.attribute)]].append(value)
    return found


def _plain(value: object) -> object:
    """As JSON has it; numbers with places stay what they are in digits."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple | frozenset | set) else value

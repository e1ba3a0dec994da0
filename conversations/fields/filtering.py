"""Conversations by the values of their fields: what the lists and the filters of jobs may ask, and the queries.

All but ``contains`` find values by an index. "Is not" is met by conversations without a value, as in filters of jobs.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Value
from django.db.models.functions import Left, Lower

from conversations.field_models import INDEXED_CHARS, FieldValue
from customfields.models import CustomField
from customfields.typed import CHOICES, TEXTS, FieldType, columns_of
from customfields.typed import Value as Typed
from tenants.querysets import TenantQuerySet

IS, IS_NOT, BETWEEN, CONTAINS, EMPTY, NOT_EMPTY = "is", "is_not", "between", "contains", "empty", "not_empty"
WITHOUT_VALUE = frozenset({EMPTY, NOT_EMPTY})


def operators_of(kind: FieldType) -> tuple[str, ...]:
    """What may be asked of a type."""
    if kind in TEXTS:
        return IS, IS_NOT, CONTAINS, EMPTY, NOT_EMPTY
    if kind in CHOICES or kind == FieldType.BOOLEAN:
        return IS, IS_NOT, EMPTY, NOT_EMPTY
    return IS, IS_NOT, BETWEEN, EMPTY, NOT_EMPTY


def having(
    rows: TenantQuerySet, field: CustomField, operator: str, value: Any = None, second: Any = None
) -> TenantQuerySet:
    """Narrow calls and threads to those that meet the clause; values are such as ``coerce`` returns, a member for lists."""
    current = FieldValue.objects.filter(field=field, standing=FieldValue.Standing.CURRENT)
    if operator in WITHOUT_VALUE:
        said = current.exclude(text=None, number=None, members=None).values("record_id")
        narrowed: TenantQuerySet = rows.filter(pk__in=said) if operator == NOT_EMPTY else rows.exclude(pk__in=said)
        return narrowed
    if operator == BETWEEN:
        found = current.filter(number__range=(_number(field, value), _number(field, second)))
    elif operator == CONTAINS:
        found = current.filter(text__icontains=str(value))
    else:
        found = _equal(current, field, value)
    ids = found.values("record_id")
    return rows.exclude(pk__in=ids) if operator == IS_NOT else rows.filter(pk__in=ids)


def _equal(current: TenantQuerySet, field: CustomField, value: Any) -> TenantQuerySet:
    found: TenantQuerySet
    if field.definition.type in TEXTS:
        start = Lower(Left(Value(str(value)), INDEXED_CHARS))
        begins = current.alias(start=Lower(Left("text", INDEXED_CHARS))).filter(start=start, text__isnull=False)
        found = begins.filter(text__iexact=str(value))
    elif field.definition.type in CHOICES:
        found = current.filter(members__contains=[str(value)])
    else:
        found = current.filter(number=_number(field, value))
    return found


def _number(field: CustomField, value: Typed | None) -> Decimal | None:
    return columns_of(field.definition, value).number


def fact_of(value: Typed | None) -> Any:
    """A value as a fact of the filters of jobs: whole or broken numbers, ISO days, sets of choices, truths as text."""
    if isinstance(value, tuple):
        return frozenset(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value

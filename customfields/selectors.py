"""Reading definitions: those of a tenant, those that a person may administer, those whose values one may see."""

import uuid
from collections.abc import Collection

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.permissions import Permission
from customfields.models import Attribute, CustomField
from tenants.selectors import visible_tenants

ORDER = ("position", "name", "pk")
# The grid has no right to edit a sentiment score or topics: those are read only (domain L11).
VIEW_RIGHTS = {
    Attribute.CUSTOM_FIELDS: Permission.FIELDS_VIEW,
    Attribute.SUMMARY: Permission.SUMMARY_VIEW,
    Attribute.SENTIMENT: Permission.SENTIMENT_VIEW,
    Attribute.TOPICS: Permission.TOPICS_VIEW,
}
EDIT_RIGHTS = {
    Attribute.CUSTOM_FIELDS: Permission.FIELDS_EDIT,
    Attribute.SUMMARY: Permission.SUMMARY_EDIT,
}


def fields_of(tenant_id: uuid.UUID) -> QuerySet[CustomField]:
    """The fields that a tenant has: the global ones and its own, in the order in which they are shown."""
    present = CustomField.objects.filter(Q(tenant=None) | Q(tenant_id=tenant_id), deleted_at=None)
    return present.order_by(*ORDER)


def known_fields(tenant_id: uuid.UUID, field_ids: Collection[int]) -> dict[int, CustomField]:
    """Those of the fields that the tenant has, disabled ones too, by id."""
    return {field.pk: field for field in fields_of(tenant_id).filter(pk__in=field_ids)}


def readable_fields(user: User) -> list[CustomField]:
    """The enabled fields whose values ``user`` may see by the grid of rights, of the tenant that the user stands in."""
    held = [attribute for attribute, code in VIEW_RIGHTS.items() if user.has(code)]
    if not held:
        return []
    return list(fields_of(user.stands_in).filter(enabled=True, attribute__in=held))


def may_edit_value(user: User, field: CustomField) -> bool:
    """Whether ``user`` may change values of this field: people may at all, and the grid gives the right."""
    code = EDIT_RIGHTS.get(Attribute(field.attribute))
    return field.enabled and field.editable and code is not None and user.has(code)


def administered_fields(user: User) -> QuerySet[CustomField]:
    """The definitions that ``user`` may look at: the global ones and those of the visible tenants."""
    visible = Q(tenant=None) | Q(tenant__in=visible_tenants(user))
    return CustomField.objects.filter(visible, deleted_at=None).select_related("tenant")


def may_change(user: User, field: CustomField) -> bool:
    """Whether ``user`` may change this visible definition. Global ones concern all tenants: the platform's alone."""
    if not user.has(Permission.CUSTOM_FIELDS_EDIT):
        return False
    return field.tenant_id is not None or (user.everywhere)


def doomed_fields(tenant_id: uuid.UUID) -> list[int]:
    """The deleted fields that a tenant had: values of these are removed by its sweep."""
    return list(
        CustomField.objects.filter(Q(tenant=None) | Q(tenant_id=tenant_id), deleted_at__isnull=False).values_list(
            "pk", flat=True
        )
    )

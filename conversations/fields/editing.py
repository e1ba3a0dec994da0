"""What people do to values: edit, which pins, and unpin. Each has its audit row, without the value, in its transaction."""

import uuid
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append
from conversations.field_models import FieldValue, Origin
from conversations.fields.records import RECORDS, Key, lock
from conversations.fields.writing import CURRENT, HELD, PAST, new_version
from core.errors import Conflict, NotAllowed
from core.moves import move
from customfields.models import CustomField
from customfields.selectors import may_edit_value
from customfields.services import mark_used
from customfields.typed import BrokenRule, coerce, columns_of
from customfields.wording import refused
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant
from tenants.querysets import TenantQuerySet


@transaction.atomic
def edit_value(*, tenant: Tenant, key: Key, field: CustomField, value: Any, seen: int, editor: User) -> FieldValue:
    """Set a value, or empty it (None), as a person, and pin it; return the version that is current now.

    ``seen`` is the id of the version that the person saw, 0 for none. What a machine had said is held back. Saying what
    is pinned already changes nothing. Raises InvalidInput("value", …) naming the rule, Conflict when the value was changed
    in the meantime or the conversation is gone, NotAllowed without the right.
    """
    _demand(tenant, key, field, editor)
    try:
        columns = columns_of(field.definition, coerce(field.definition, value))
    except BrokenRule as error:
        raise refused(error, "value") from error
    old = _versions(key, field).filter(standing=CURRENT).first()
    if (old.pk if old is not None else 0) != seen:
        raise Conflict(_("Somebody else changed this value in the meantime. Reload and try again."))
    if old is not None and old.pinned and old.columns == columns:
        return old
    if old is not None:
        # What a person said is past; what a machine said stands again when the pin is taken off.
        standing = PAST if old.origin == Origin.PERSON else HELD
        if standing == HELD:
            _versions(key, field).filter(standing=HELD).update(standing=PAST)
        move(_versions(key, field).filter(pk=old.pk, standing=CURRENT), standing=standing)
    new = new_version((key, field.pk), field, columns, CURRENT, origin=Origin.PERSON, author=editor.actor, pinned=True)
    new.save(force_insert=True)
    mark_used(fields=[field])
    _audit(tenant, key, field, editor, "field_value.edited", new.pk)
    return new


@transaction.atomic
def unpin_value(*, tenant: Tenant, key: Key, field: CustomField, editor: User) -> FieldValue:
    """Take the pin off; return the version that is current then: the held one, or the person's until a task overwrites it.

    Raises Conflict when nothing is pinned, NotAllowed without the right.
    """
    _demand(tenant, key, field, editor)
    pinned = _versions(key, field).filter(standing=CURRENT, pinned=True).first()
    if pinned is None:
        raise Conflict(_("This value is not pinned."))
    held = _versions(key, field).filter(standing=HELD).first()
    current = held or pinned
    same = _versions(key, field).filter(pk=pinned.pk, standing=CURRENT, pinned=True)
    move(same, pinned=False, standing=CURRENT if held is None else PAST)
    if held is not None:
        move(_versions(key, field).filter(pk=held.pk, standing=HELD), standing=CURRENT)
    _audit(tenant, key, field, editor, "field_value.unpinned", current.pk)
    found: FieldValue = _versions(key, field).get(pk=current.pk)
    return found


def erase_values(record_type: str, record_ids: list[uuid.UUID]) -> int:
    """Delete all values of conversations that are being deleted, in the caller's transaction; return how many."""
    number, _by_model = FieldValue.objects.filter(record_type=record_type, record_id__in=record_ids).delete()
    return int(number)


def _demand(tenant: Tenant, key: Key, field: CustomField, editor: User) -> None:
    if current_tenant().pk != tenant.pk or (field.tenant_id is not None and field.tenant_id != tenant.pk):
        raise WrongTenant("Values are edited inside their tenant.")
    if not may_edit_value(editor, field):
        raise NotAllowed(_("You may not edit “%(name)s”.") % {"name": field.name})
    if not lock([key]):
        raise Conflict(_("The conversation was deleted in the meantime."))


def _versions(key: Key, field: CustomField) -> TenantQuerySet:
    versions: TenantQuerySet = FieldValue.objects.filter(record_type=key[0], record_id=key[1], field=field)
    return versions


def _audit(tenant: Tenant, key: Key, field: CustomField, editor: User, action: str, version: int) -> None:
    record_type, pk = key
    kind = RECORDS[record_type]
    external: str = kind.model.objects.values_list("external_id", flat=True).get(pk=pk)
    details = {"external_id": external, "field": field.key, "version": version}
    append(
        tenant_id=tenant.pk,
        actor=editor.actor,
        action=action,
        target_type=kind.kind,
        target_id=str(pk),
        details=details,
    )

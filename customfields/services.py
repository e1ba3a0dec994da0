"""Changing definitions. Every change is guarded by the version that was seen, and has its audit row in its transaction."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import append, changes
from core.errors import Conflict, InvalidInput
from core.moves import move, switch
from core.names import demand_name
from core.validation import cleaned
from customfields.definitions import clean_settings
from customfields.models import CustomField, Type
from customfields.selectors import may_change
from customfields.typed import BrokenRule, FieldType
from customfields.uses import Use, uses_of
from customfields.wording import refused
from tenants.models import Tenant
from tenants.selectors import visible_tenants

FIELDS = (
    "key",
    "name",
    "description",
    "type",
    "group",
    "position",
    "attribute",
    "enabled",
    "editable",
    "in_lists",
)
MOST_FIELDS = 200
# Each of them is a column and a filter of the lists of conversations.
MOST_IN_LISTS = 20
MOST_NAMED = 3


@transaction.atomic
def save_field(
    *, field: CustomField | None, tenant: Tenant | None, values: Mapping[str, Any], version: int, editor: User
) -> CustomField:
    """Create a field of ``tenant`` (None: of all tenants), or change the version of one that was seen.

    ``values`` has ``FIELDS`` and what ``clean_settings`` reads. Raises InvalidInput naming the field (also for a key that
    is taken, that is in use, or a type that has values), Conflict when somebody saved it in the meantime.
    """
    _lock_keys()
    old = None if field is None else CustomField.objects.select_for_update().filter(pk=field.pk).first()
    if field is not None and (old is None or old.deleted_at is not None):
        raise Conflict(_("The field was deleted in the meantime."))
    _demand_reach(editor, old.tenant if old is not None else tenant)
    new = CustomField(
        tenant=old.tenant if old is not None else tenant,
        settings=_settings(values),
        **{name: values[name] for name in FIELDS},
    )
    for name in ("name", "group"):
        demand_name(name, values[name])
    cleaned(new, clash_field="key", exclude={"tenant"} | ({"key"} if old is not None and old.key == new.key else set()))
    _demand_free_key(new, old)
    _demand_room(new, old)
    if old is None:
        new.save(force_insert=True)
        _append(new, editor, "custom_field.created", after=_described(new))
        return new
    _demand_same(old, new)
    stored = {name: getattr(new, name) for name in (*FIELDS, "settings")}
    text = _("Somebody else saved this field in the meantime. Reload and try again.")
    move(CustomField.objects.filter(pk=old.pk, version=version), conflict=text, **stored, version=version + 1)
    before, after = changes(_described(old), _described(new))
    _append(old, editor, "custom_field.changed", before=before, after=after)
    return CustomField.objects.get(pk=old.pk)


@transaction.atomic
def ensure_global_field(*, key: str, values: Mapping[str, Any], otherwise: str = "") -> CustomField:
    """The field of all tenants under ``key``, made when it is missing: for what the product brings with it.

    One that is there is returned as it is. Where a tenant has a field of its own under this key, or the one of all tenants
    has another type, ``otherwise`` is taken, by default ``key`` with ``_ai`` behind it. ``values`` are as of ``save_field``. Leaves no audit row:
    no person does this.
    """
    _lock_keys()
    for name in (key, otherwise or f"{key}_ai"):
        present = list(CustomField.objects.filter(key=name, deleted_at=None))
        if not present:
            made = CustomField(key=name, settings=_settings(values), **{n: values[n] for n in FIELDS if n != "key"})
            cleaned(made, clash_field="key", exclude={"tenant"}).save(force_insert=True)
            return made
        if present[0].tenant_id is None and present[0].type == values["type"]:
            return present[0]
    raise Conflict(_("There is a field with this key."))


@transaction.atomic
def set_enabled(*, fields: Iterable[CustomField], enabled: bool, editor: User) -> int:
    """Enable or disable fields; return how many were not so before. Raises Conflict for one out of reach.

    A disabled field is not shown, searched or edited; its values stay, and tasks may go on writing them.
    """
    found = switch(_locked(fields, editor), "enabled", enabled)
    for field in found:
        _append(field, editor, "custom_field.enabled" if enabled else "custom_field.disabled")
    return len(found)


@transaction.atomic
def set_in_lists(*, fields: Iterable[CustomField], in_lists: bool, editor: User) -> int:
    """Make fields columns and filters of lists, or no longer; return how many were not so before.

    Raises Conflict for one out of reach, InvalidInput when a tenant, or the platform for all of them, would have too many.
    """
    _lock_keys()
    found = switch(_locked(fields, editor), "in_lists", in_lists)
    for tenant_id in {field.tenant_id for field in found}:
        shown = CustomField.objects.filter(tenant=tenant_id, deleted_at=None, in_lists=True).count()
        if in_lists and shown > MOST_IN_LISTS:
            raise InvalidInput("in_lists", _("At most %(n)s fields can be columns of lists.") % {"n": MOST_IN_LISTS})
    for field in found:
        told = {"before": {"in_lists": not in_lists}, "after": {"in_lists": in_lists}}
        _append(field, editor, "custom_field.changed", **told)
    return len(found)


@transaction.atomic
def delete_fields(*, fields: Iterable[CustomField], editor: User) -> int:
    """Delete fields; return how many. Raises Conflict, naming the users, when one is in use or out of reach.

    The values are hidden at once and removed by the daily sweep of each tenant.
    """
    _lock_keys()
    found = _locked(fields, editor)
    uses = uses_of([field.pk for field in found])
    for field in found:
        if uses[field.pk]:
            raise Conflict(in_use_text(field, uses[field.pk]))
    rows = CustomField.objects.filter(pk__in=[field.pk for field in found], deleted_at=None)
    move(rows, expect=len(found), deleted_at=timezone.now(), version=F("version") + 1)
    for field in found:
        _append(field, editor, "custom_field.deleted")
    return len(found)


def in_use_text(field: CustomField, uses: list[Use]) -> str:
    """Why the field cannot go, naming the first of those that use it."""
    named = ", ".join(str(use) for use in uses[:MOST_NAMED])
    if len(uses) > MOST_NAMED:
        named = _("%(named)s and %(n)s more") % {"named": named, "n": len(uses) - MOST_NAMED}
    return _("“%(field)s” is used by %(named)s.") % {"field": field.name, "named": named}


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    if values["type"] not in Type.values:
        raise InvalidInput("type", _("Choose a type."))
    try:
        return clean_settings(FieldType(values["type"]), values)
    except BrokenRule as error:
        raise refused(error, error.field) from error


def _demand_reach(editor: User, tenant: Tenant | None) -> None:
    if tenant is None and not editor.everywhere:
        raise InvalidInput("tenant", _("A field of all tenants needs a platform role with the access scope “System”."))
    if tenant is not None and not visible_tenants(editor).filter(pk=tenant.pk).exists():
        raise InvalidInput("tenant", _("Choose one of your tenants."))


def _demand_free_key(new: CustomField, old: CustomField | None) -> None:
    """A tenant must not have two fields of one key, its own and a global one; for a global field: no tenant may."""
    taken = CustomField.objects.filter(key=new.key, deleted_at=None)
    if new.tenant is not None:
        taken = taken.filter(Q(tenant=None) | Q(tenant=new.tenant))
    clash = _besides(taken, old).select_related("tenant").first()
    if clash is None:
        return
    if clash.tenant is None:
        text = _("The field “%(name)s” of all tenants has this key.") % {"name": clash.name}
    elif new.tenant is not None:
        text = _("The field “%(name)s” has this key.") % {"name": clash.name}
    else:
        text = _("The tenant “%(tenant)s” has a field with this key.") % {"tenant": clash.tenant.name}
    raise InvalidInput("key", text)


def _besides(rows: QuerySet[CustomField], old: CustomField | None) -> QuerySet[CustomField]:
    return rows if old is None else rows.exclude(pk=old.pk)


def _demand_room(new: CustomField, old: CustomField | None) -> None:
    present = CustomField.objects.filter(tenant=new.tenant, deleted_at=None)
    if old is None and present.count() >= MOST_FIELDS:
        raise InvalidInput("key", _("At most %(n)s fields.") % {"n": MOST_FIELDS})
    shown = _besides(present.filter(in_lists=True), old).count()
    if new.in_lists and shown >= MOST_IN_LISTS:
        raise InvalidInput("in_lists", _("At most %(n)s fields can be columns of lists.") % {"n": MOST_IN_LISTS})


def _demand_same(old: CustomField, new: CustomField) -> None:
    """Key and type stay once something relies on them."""
    if new.type != old.type and old.has_values:
        raise InvalidInput("type", _("Conversations have values of this type already: it stays."))
    if new.key == old.key and new.type == old.type:
        return
    uses = uses_of([old.pk])[old.pk]
    if new.key != old.key and old.has_values:
        raise InvalidInput("key", _("Conversations have values under this key already: it stays."))
    if uses:
        raise InvalidInput("key" if new.key != old.key else "type", in_use_text(old, uses))


def _locked(fields: Iterable[CustomField], editor: User) -> list[CustomField]:
    ids = [field.pk for field in fields]
    rows = CustomField.objects.select_for_update().filter(pk__in=ids, deleted_at=None).order_by("pk")
    found = list(rows)
    for field in found:
        if not may_change(editor, field):
            raise Conflict(_("“%(name)s” is a field of all tenants: the platform changes it.") % {"name": field.name})
    return found


def _lock_keys() -> None:
    """Keys are compared over global fields and those of tenants, which no constraint can do: one change at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('customfields.keys', 7))")


def _described(field: CustomField) -> dict[str, Any]:
    return {name: getattr(field, name) for name in (*FIELDS, "settings")}


def _append(field: CustomField, editor: User, action: str, **more: Any) -> None:
    """In the chain of the tenant whose field it is; global ones in the editor's."""
    tenant_id: uuid.UUID = field.tenant_id or editor.tenant_id
    append(
        tenant_id=tenant_id,
        actor=editor.actor,
        action=action,
        target_type="custom_field",
        target_id=str(field.pk),
        **{
            **more,
            "details": {"name": field.name, "key": field.key, "scope": "tenant" if field.tenant_id else "global"},
        },
    )


def mark_used(*, fields: Iterable[CustomField]) -> None:
    """Say that there are values, in the transaction of the first one; guarded by the type that the writer knew.

    Raises Conflict when the type was changed, or the field deleted, in the meantime.
    """
    for field in sorted((field for field in fields if not field.has_values), key=lambda field: field.pk):
        rows = CustomField.objects.filter(pk=field.pk, type=field.type, deleted_at=None)
        text = _("The field “%(name)s” was changed in the meantime.") % {"name": field.name}
        move(rows, conflict=text, has_values=True)

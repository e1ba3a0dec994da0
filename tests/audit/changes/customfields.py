"""Definitions and values of custom fields."""

from conversations.fields.editing import edit_value
from customfields.models import CustomField
from tenants.doors import enter
from tests.audit.changes.world import Change, World, row
from tests.conversations.calls import stored_call
from tests.customfields.making import made

FIELD = {"name": "Mood", "key": "mood", "type": "integer", "position": "1", "attribute": "custom_fields"}


def own(world: World) -> CustomField:
    """A field of acme."""
    return made("mood", "integer", tenant=world.acme)


@row("customfields:add")
def _(world: World) -> Change:
    return Change(world.ada, FIELD, {**FIELD, "key": "Not a key"})


@row("customfields:field")
def _(world: World) -> Change:
    return Change(world.ada, {**FIELD, "version": 1}, {**FIELD, "version": 7}, (own(world).pk,))


@row("customfields:delete")
def _(world: World) -> Change:
    return Change(world.ada, args=(own(world).pk,))


@row("customfields:bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [own(world).pk]}
    return Change(world.ada, good, {**good, "action": "nonsense"})


def value_of(world: World, *, pinned: bool) -> tuple[str, object, int]:
    """The address of a value of a call of acme."""
    field = own(world)
    with enter(world.acme):
        call = stored_call(world.acme)
        if pinned:
            editor = world.people.tenant_admin
            edit_value(tenant=world.acme, key=("call", call.pk), field=field, value=1, seen=0, editor=editor)
    return ("call", call.pk, field.pk)


@row("conversations:field")
def _(world: World) -> Change:
    return Change(world.ada, {"value": "5", "seen": "0"}, {"value": "much"}, value_of(world, pinned=False))


@row("conversations:field_unpin")
def _(world: World) -> Change:
    return Change(world.ada, args=value_of(world, pinned=True))

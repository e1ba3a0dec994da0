"""Definitions and values of custom fields."""

from customfields.models import CustomField
from tests.audit.changes.world import Change, World, row
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

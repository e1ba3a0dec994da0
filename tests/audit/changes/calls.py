"""Calls."""

from conversations.bulk.choosing import choice_of, freeze
from conversations.models import Call
from conversations.selectors import visible_calls
from tenants.doors import enter
from tests.audit.changes.world import Change, World, row
from tests.conversations.calls import stored_call


@row("conversations:call_bulk")
def _(world: World) -> Change:
    ada = world.people.tenant_admin
    with enter(world.acme):
        call = stored_call(world.acme)
        rows = visible_calls(ada).filter(pk=call.pk)
        choice = freeze(deed="tag", rows=rows, user=ada, filters=[], ticked=True)
        assert Call.objects.count() == 1
    assert choice_of(ada, choice.id) is not None
    return Change(world.ada, {"tag": "vip"}, {"tag": " "}, (choice.id,))

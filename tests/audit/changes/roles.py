"""Roles."""

from accounts.models import Role
from tests.audit.changes.world import Change, World, row


def own_role(world: World) -> Role:
    """A role of acme."""
    return Role.objects.create(tenant=world.acme, name="Own", scope="user", granted=["home.view"])


@row("accounts:role_add")
def _(world: World) -> Change:
    good = {"name": "New role", "scope": "user", "granted": ["home.view"]}
    return Change(world.ada, good, {**good, "name": ""})


@row("accounts:role")
def _(world: World) -> Change:
    good = {"name": "Renamed", "scope": "user", "granted": ["home.view"], "version": 1}
    return Change(world.ada, good, {**good, "name": ""}, (own_role(world).pk,))


@row("accounts:role_clone")
def _(world: World) -> Change:
    supervisor = Role.objects.get(key="supervisor")
    return Change(world.ada, {"name": "My supervisor"}, {"name": ""}, (supervisor.pk,))


@row("accounts:role_delete")
def _(world: World) -> Change:
    return Change(world.ada, args=(own_role(world).pk,))


@row("accounts:sign_out")
def _(world: World) -> Change:
    return Change(world.root)

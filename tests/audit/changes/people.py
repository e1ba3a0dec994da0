"""Users, licences and seats."""

import hashlib
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role, User
from tests.accounts.signing_in import confirmed
from tests.audit.changes.world import Change, World, row
from tests.conftest import PASSWORD


def person(user: User | None = None, **changes: Any) -> dict[str, Any]:
    """What the form of a user posts."""
    values = {"username": "nora", "is_active": "on", "role": Role.objects.get(key="agent").pk, "version": 1}
    if user is not None:
        values |= {"username": user.username, "full_name": user.full_name, "group": user.group, "role": user.role_id}
    return {**values, **changes}


@row("licensing:user_add")
def _(world: World) -> Change:
    good = person(password=PASSWORD, licences=["speech_analytics"])
    return Change(world.ada, good, {**good, "username": "not a name"})


@row("licensing:user_edit")
def _(world: World) -> Change:
    agent = world.people.agent
    good = person(agent, full_name="New", licences=["call_recording"], version=agent.version)
    return Change(world.ada, good, {**good, "version": 99}, (agent.pk,))


@row("licensing:user_password")
def _(world: World) -> Change:
    good, bad = {"password": PASSWORD + "!"}, {"password": "short"}
    return Change(confirmed(world.ada), good, bad, (world.people.agent.pk,))


@row("licensing:users_bulk")
def _(world: World) -> Change:
    good = {"action": "licence_add", "licence": "speech_analytics", "confirmed": "1"}
    return Change(world.ada, good, {"action": "nonsense"})


@row("licensing:user_import")
def _(world: World) -> Change:
    data = b"username,full_name\nalan,Alan Again\n"
    good = {"file": SimpleUploadedFile("users.csv", data), "do": "apply", "expected": hashlib.sha256(data).hexdigest()}
    bad = {"file": SimpleUploadedFile("users.csv", b"wrong\n1\n"), "do": "apply"}
    return Change(world.ada, good, bad)


@row("licensing:service_limits")
def _(world: World) -> Change:
    rules = {"policy": "drop", "per_user": "pool", "month_zone": "tenant", "version": "1"}
    good = {"user_month": "", "user_lifetime": "", "org_month": "15000", "org_lifetime": "", **rules}
    return Change(world.root, good, {**good, "org_month": "-1"}, (world.acme.pk,))


@row("licensing:licence_limits")
def _(world: World) -> Change:
    return Change(world.root, {"speech_analytics": "50"}, {"speech_analytics": "-1"}, (world.acme.pk,))


@row("licensing:tenants_bulk")
def _(world: World) -> Change:
    good = {"action": "suspend", "selection": [str(world.acme.pk)], "confirmed": "1"}
    return Change(world.root, good, {"action": "nonsense"})

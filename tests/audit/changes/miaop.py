"""The offline-task API."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.realms import keys
from accounts.realms.models import RealmSetting
from miaop.models import Task
from tenants.doors import enter
from tests.audit.changes.world import Change, World, row
from tests.conftest import PASSWORD


def by_token(world: World) -> Client:
    """Acme's administrator with a token instead of a cookie."""
    # Tests before may have made other keys.
    keys.forget()
    RealmSetting.objects.get_or_create(tenant=world.acme, defaults={"enabled": True})
    form = {"grant_type": "password", "client_id": "browser_client", "username": "ada", "password": PASSWORD}
    body = "&".join(f"{name}={value}" for name, value in form.items())
    address = "/realms/acme/protocol/openid-connect/token"
    token = Client().post(address, body, content_type="application/x-www-form-urlencoded").json()["access_token"]
    return Client(headers={"Authorization": f"Bearer {token}"})


def submission(**changes: Any) -> dict[str, Any]:
    """A task with one file."""
    task = {"taskType": "offline", "meetings": [{"files": [{"file": "a.wav"}]}]} | changes
    return {"task": json.dumps(task), "soundBlob": SimpleUploadedFile("a.wav", b"no audio, which is told later")}


def stored(world: World, *, archived: bool) -> None:
    """A task of acme."""
    with enter(world.acme):
        Task.objects.create(task_id="t", name="t", digest="0", members={}, base_languages=[], archived=archived)


@row("miaop:hrec")
def _(world: World) -> Change:
    return Change(by_token(world), submission(), submission(taskType="online"), good_status=200)


@row("miaop:archive")
def _(world: World) -> Change:
    stored(world, archived=False)
    return Change(by_token(world), args=("t",), good_status=200)


@row("miaop:unarchive")
def _(world: World) -> Change:
    stored(world, archived=True)
    return Change(by_token(world), args=("t",), good_status=200)


@row("offline:submit")
def _(world: World) -> Change:
    def form(**changes: Any) -> dict[str, Any]:
        sent = SimpleUploadedFile("a.wav", b"no audio, which is told later")
        return {"audio": sent, "language": "English", "task_id": "0123456789abcdef"} | changes

    return Change(world.ada, form(), form(info="[1]"))


@row("offline:bulk")
def _(world: World) -> Change:
    stored(world, archived=False)
    with enter(world.acme):
        good = {"action": "archive", "selection": [str(Task.objects.get().pk)]}
    return Change(world.ada, good, {**good, "action": "nonsense"})

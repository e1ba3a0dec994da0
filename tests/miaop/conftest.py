"""Realms with the API on, tokens, and tasks as they are after a submission."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.realms import keys
from accounts.realms.models import RealmSetting
from conversations.models import Call
from miaop.models import Meeting, Task
from tenants.doors import enter
from tests.conftest import PASSWORD
from tests.conversations.calls import stored_call

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def realms(acme, globex, system) -> Iterator[None]:
    """All three tenants offer the API."""
    keys.forget()
    for tenant in (acme, globex, system):
        RealmSetting.objects.create(tenant=tenant, enabled=True)
    cache.clear()
    yield
    keys.forget()


@pytest.fixture
def bearer(db) -> Callable[..., dict[str, str]]:
    """The header of a user who signed in at his realm."""

    def make(user: Any) -> dict[str, str]:
        realm = "master" if user.tenant.is_system else user.tenant.slug
        form = f"grant_type=password&client_id=browser_client&username={user.username}&password={PASSWORD}"
        answer = Client().post(f"/realms/{realm}/protocol/openid-connect/token", form, content_type=FORM)
        assert answer.status_code == 200, answer.content
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    return make


@pytest.fixture
def ask(bearer) -> Callable[..., Any]:
    """GET by a user: ``ask(user, path, **query)``."""
    held: dict[Any, dict[str, str]] = {}

    def get(user: Any, path: str, **query: Any) -> Any:
        if user.pk not in held:
            held[user.pk] = bearer(user)
        return Client().get(path, query, headers=held[user.pk])

    return get


def stored_task(tenant, task_id: str, *, states: tuple[str, ...] = ("none",), **columns: Any) -> Task:
    """A task with a meeting for each state of its call, made without the API."""
    with enter(tenant):
        values = {"name": task_id, "digest": "0" * 64, "base_languages": ["English"], "members": {"taskName": task_id}}
        task = Task.objects.create(task_id=task_id, **values | columns)
        for number, state in enumerate(states, start=1):
            call = stored_call(tenant, external_id=f"{number}.{task_id}")
            Call.objects.filter(pk=call.pk).update(transcription_state=state)
            Meeting.objects.create(
                task=task, number=number, file=f"{number}.wav", base_language="English", call_id=call.pk
            )
        return task

"""Engines of both families: they have the same routes."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from engines.selectors import circuit_key
from tests.audit.changes.world import Change, World, row
from tests.jobs.pages import failing_circuit

SPEECH = {
    "engine_type": "native_v2",
    "name": "Speech",
    "enabled": "on",
    "visibility": "global",
    "server_address": "https://93.184.216.34:8443",
    "ssl_verify": "on",
    "punctuate": "on",
    "request_timeout_s": "60",
    "concurrency": "4",
}
AI = {
    "engine_type": "openai",
    "name": "Assistant",
    "enabled": "on",
    "visibility": "global",
    "base_url": "https://93.184.216.34/v1",
    "ssl_verify": "on",
    "model": "gpt-test",
    "context_window": "8192",
    "max_output_tokens": "512",
    "request_timeout_s": "60",
    "concurrency": "4",
}


def rows_of(app: str, form: dict[str, str], engine_of: Callable[[World], Any]) -> None:
    """The rows of one family."""
    saving(app, form, engine_of)
    running(app, engine_of)


def saving(app: str, form: dict[str, str], engine_of: Callable[[World], Any]) -> None:
    """Form and deletion."""

    @row(f"{app}:add")
    def _(world: World) -> Change:
        return Change(world.root, form, {**form, "concurrency": "0"})

    @row(f"{app}:add / save and test")
    def _(world: World) -> Change:
        return Change(world.root, {**form, "action": "save_and_test"}, {**form, "name": ""})

    @row(f"{app}:engine")
    def _(world: World) -> Change:
        return Change(world.root, {**form, "version": 1}, {**form, "version": 9}, (engine_of(world).pk,))

    @row(f"{app}:delete")
    def _(world: World) -> Change:
        engine = engine_of(world)
        return Change(world.root, {"confirm_name": engine.name}, {"confirm_name": "x"}, (engine.pk,))


def running(app: str, engine_of: Callable[[World], Any]) -> None:
    """What is done with an engine that stands there."""

    @row(f"{app}:resume")
    def _(world: World) -> Change:
        engine = engine_of(world)
        type(engine).objects.filter(pk=engine.pk).update(paused_at=timezone.now(), pause_reason="wrong token")
        return Change(world.root, args=(engine.pk,))

    @row(f"{app}:try")
    def _(world: World) -> Change:
        failing_circuit(circuit_key(engine_of(world)))
        return Change(world.root, args=(engine_of(world).pk,))

    @row(f"{app}:trust")
    def _(world: World) -> Change:
        failing_circuit(circuit_key(engine_of(world)))
        return Change(world.root, args=(engine_of(world).pk,))

    @row(f"{app}:bulk")
    def _(world: World) -> Change:
        good = {"action": "disable", "selection": [engine_of(world).pk], "confirmed": "1"}
        return Change(world.root, good, {**good, "action": "nonsense"})

    @row(f"{app}:bulk / test")
    def _(world: World) -> Change:
        return Change(world.root, {"action": "test", "selection": [engine_of(world).pk], "confirmed": "1"})

    @row(f"{app}:test_start")
    def _(world: World) -> Change:
        return Change(world.root, args=(engine_of(world).pk,))


rows_of("transcription", SPEECH, lambda world: world.engine)
rows_of("aiassistant", AI, lambda world: world.ai_engine)

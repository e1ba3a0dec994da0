"""Speech engines."""

from django.utils import timezone

from tests.audit.changes.world import Change, World, row
from tests.jobs.pages import failing_circuit
from transcription.models import SpeechEngine
from transcription.selectors import circuit_key

ENGINE = {
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


@row("transcription:add")
def _(world: World) -> Change:
    return Change(world.root, ENGINE, {**ENGINE, "concurrency": "0"})


@row("transcription:add / save and test")
def _(world: World) -> Change:
    return Change(world.root, {**ENGINE, "action": "save_and_test"}, {**ENGINE, "name": ""})


@row("transcription:engine")
def _(world: World) -> Change:
    return Change(world.root, {**ENGINE, "version": 1}, {**ENGINE, "version": 9}, (world.engine.pk,))


@row("transcription:delete")
def _(world: World) -> Change:
    return Change(world.root, {"confirm_name": "Native"}, {"confirm_name": "x"}, (world.engine.pk,))


@row("transcription:resume")
def _(world: World) -> Change:
    SpeechEngine.objects.filter(pk=world.engine.pk).update(paused_at=timezone.now(), pause_reason="wrong token")
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:try")
def _(world: World) -> Change:
    failing_circuit(circuit_key(world.engine))
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:trust")
def _(world: World) -> Change:
    failing_circuit(circuit_key(world.engine))
    return Change(world.root, args=(world.engine.pk,))


@row("transcription:bulk")
def _(world: World) -> Change:
    good = {"action": "disable", "selection": [world.engine.pk], "confirmed": "1"}
    return Change(world.root, good, {**good, "action": "nonsense"})


@row("transcription:bulk / test")
def _(world: World) -> Change:
    return Change(world.root, {"action": "test", "selection": [world.engine.pk], "confirmed": "1"})


@row("transcription:test_start")
def _(world: World) -> Change:
    return Change(world.root, args=(world.engine.pk,))

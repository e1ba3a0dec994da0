"""Prices of engines of both families, abilities of AI engines, and default engines."""

from typing import Any

from aiassistant.models import DefaultEngine, EnginePrice
from tests.audit.changes.world import Change, World, row
from transcription.models import SpeechPrice

PRICE = {"model_pattern": "*", "valid_from": "2026-01-01", "currency": "EUR", "input": "2.5", "output": "10"}


def price(world: World, **changes: Any) -> EnginePrice:
    """A price that does not hold yet."""
    values = {"valid_from": "2126-01-01", "currency": "EUR", "input": 1, "cached_input": 1, "output": 1}
    return EnginePrice.objects.create(engine=world.ai_engine, **{**values, **changes})


def default(world: World) -> DefaultEngine:
    """The default of acme."""
    return DefaultEngine.objects.create(tenant=world.acme, engine=world.ai_engine)


@row("aiassistant:abilities")
def _(world: World) -> Change:
    good = {"json_schema": "no", "max_context": "8192", "version": "1"}
    return Change(world.root, good, {**good, "version": "7"}, (world.ai_engine.pk,))


@row("aiassistant:price_add")
def _(world: World) -> Change:
    return Change(world.root, PRICE, {**PRICE, "input": "-1"}, (world.ai_engine.pk,))


@row("aiassistant:price_delete")
def _(world: World) -> Change:
    return Change(world.root, args=(world.ai_engine.pk, price(world).pk))


@row("transcription:price_add")
def _(world: World) -> Change:
    good = {"valid_from": "2026-01-01", "currency": "EUR", "per_minute": "0.006"}
    return Change(world.root, good, {**good, "per_minute": "-1"}, (world.engine.pk,))


@row("transcription:price_delete")
def _(world: World) -> Change:
    values = {"valid_from": "2126-01-01", "currency": "EUR", "per_minute": 1}
    coming = SpeechPrice.objects.create(engine=world.engine, **values)
    return Change(world.root, args=(world.engine.pk, coming.pk))


@row("aiassistant:default_add")
def _(world: World) -> Change:
    good = {"tenant": world.acme.pk, "engine": world.ai_engine.pk}
    return Change(world.root, good, {**good, "engine": "999999"})


@row("aiassistant:default")
def _(world: World) -> Change:
    found = default(world)
    good = {"tenant": world.acme.pk, "engine": world.ai_engine.pk}
    return Change(world.root, good, {**good, "engine": ""}, (found.pk,))


@row("aiassistant:default_clear")
def _(world: World) -> Change:
    return Change(world.root, args=(default(world).pk,))

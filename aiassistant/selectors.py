"""Reading AI engines."""

import uuid
from collections import defaultdict

from django.db.models import Q, QuerySet

from aiassistant.choosing import EngineTable
from aiassistant.engines.base import AIEngine as Adapter
from aiassistant.engines.capabilities import Capabilities
from aiassistant.models import AIEngine, DefaultEngine, EnginePrice, Visibility
from aiassistant.pricing import Price
from engines.selectors import usable_options
from tenants.models import Tenant
from tenants.selectors import outbound_policy


def adapter_for(engine: AIEngine, request_timeout_s: int | None = None) -> Adapter:
    """A ready-made adapter with the engine's settings, secrets, what is known of its server, and the outbound policy.

    Raises EngineUnusable when the type is gone, the settings break its rules or the secrets do not decrypt.
    """
    kind, options = usable_options(engine, request_timeout_s)
    adapter: Adapter = kind(options, outbound_policy(), Capabilities.stored(engine.known))
    return adapter


def engine_table() -> EngineTable:
    """All engines, who may use them and the defaults, in three queries; for a batch of any size."""
    engines = {engine.pk: engine for engine in AIEngine.objects.select_related("tenant")}
    chosen: dict[int, set[uuid.UUID]] = defaultdict(set)
    for engine_id, tenant_id in AIEngine.tenants.through.objects.values_list("aiengine_id", "tenant_id"):
        chosen[engine_id].add(tenant_id)
    defaults: dict[uuid.UUID | None, int] = {row.tenant_id: row.engine_id for row in DefaultEngine.objects.all()}
    return EngineTable(engines, {pk: frozenset(tenants) for pk, tenants in chosen.items()}, defaults)


def engines_for(tenant: Tenant) -> "QuerySet[AIEngine]":
    """The engines that a tenant may use, by name."""
    chosen = Q(visibility=Visibility.TENANTS, tenants=tenant)
    own = Q(visibility=Visibility.ONE_TENANT, tenant=tenant)
    return AIEngine.objects.filter(Q(visibility=Visibility.GLOBAL) | chosen | own).distinct().order_by("name")


def prices_of(engine_ids: list[int]) -> dict[int, list[Price]]:
    """The price rows of engines by engine id: one query."""
    found: dict[int, list[Price]] = defaultdict(list)
    for row in EnginePrice.objects.filter(engine__in=engine_ids):
        found[row.engine_id].append(
            Price(
                row.pk,
                row.model_pattern,
                row.valid_from,
                row.currency,
                row.input,
                row.cached_input,
                row.output,
                row.batch_factor,
                row.reasoning,
            )
        )
    return dict(found)

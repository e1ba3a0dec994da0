"""Which engine answers: that of the task, else of the job, else the default of the tenant, else of the system (C35).

A pure choice over what was loaded once for a batch. The first one that is named decides: an engine that the tenant may
not use, or that cannot work now, is an obstacle and not passed over, because another one would cost and answer otherwise.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aiassistant.models import AIEngine, Visibility


class Source(StrEnum):
    """Who named the engine; stored with every execution."""

    TASK = "task"
    JOB = "job"
    TENANT = "tenant"
    SYSTEM = "system"


class Obstacle(StrEnum):
    """Why nothing can be asked: none is named or it is gone; it is not for this tenant; it is disabled or paused."""

    MISSING = "missing"
    NOT_ALLOWED = "not_allowed"
    DISABLED = "disabled"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine, and who named it; ``obstacle`` when it cannot be asked now."""

    engine: AIEngine | None
    source: Source | None
    obstacle: Obstacle | None = None


@dataclass(frozen=True, slots=True)
class EngineTable:
    """All engines and defaults, loaded by ``selectors.engine_table``. ``defaults`` has None for the system's."""

    engines: Mapping[int, AIEngine]
    tenants: Mapping[int, frozenset[uuid.UUID]]
    defaults: Mapping[uuid.UUID | None, int]

    def choose(self, tenant_id: uuid.UUID, *, task: int | None = None, job: int | None = None) -> Choice:
        """The engine for one task of one tenant."""
        named = (
            (Source.TASK, task),
            (Source.JOB, job),
            (Source.TENANT, self.defaults.get(tenant_id)),
            (Source.SYSTEM, self.defaults.get(None)),
        )
        source, pk = next(((source, pk) for source, pk in named if pk is not None), (None, None))
        engine = self.engines.get(pk) if pk is not None else None
        if engine is None:
            return Choice(None, source, Obstacle.MISSING)
        return Choice(engine, source, self._obstacle(engine, tenant_id))

    def allows(self, engine: AIEngine, tenant_id: uuid.UUID) -> bool:
        """Whether a tenant may use an engine."""
        if engine.visibility == Visibility.GLOBAL:
            return True
        if engine.visibility == Visibility.ONE_TENANT:
            return engine.tenant_id == tenant_id
        return tenant_id in self.tenants.get(engine.pk, frozenset())

    def _obstacle(self, engine: AIEngine, tenant_id: uuid.UUID) -> Obstacle | None:
        if not self.allows(engine, tenant_id):
            return Obstacle.NOT_ALLOWED
        if not engine.enabled:
            return Obstacle.DISABLED
        return Obstacle.PAUSED if engine.paused_at is not None else None

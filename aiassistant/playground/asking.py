"""Whom a try asks, and how its requests get in line with those of jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.utils.translation import gettext as _

from aiassistant.choosing import Obstacle
from aiassistant.executing.engines import Engines
from aiassistant.executing.planning import told_of
from aiassistant.executing.running import Target
from aiassistant.family import AI
from aiassistant.library.definitions import TaskDefinition
from aiassistant.models import AIEngine
from aiassistant.pacing.access import Access
from aiassistant.pacing.turns import Turn
from aiassistant.pacing.windows import Limits
from engines.selectors import EngineUnusable, failing_text, open_circuits, why_unusable
from tenants.models import Tenant


class Line:
    """An engine's door: as many at a time as it takes, within its limits a minute, which are those of all workers."""

    def __init__(self, access: Access) -> None:
        self.access, self.places = access, asyncio.Semaphore(max(access.capacity, 1))

    @asynccontextmanager
    async def turn(self, tokens: int, *, patient: bool = False) -> AsyncIterator[Turn]:
        """However long it takes: the time of the conversation ends it."""
        async with self.places, self.access.turn(tokens, patient=True) as turn:
            yield turn


class Asked(Engines):
    """The engines of one try. It holds no places of the cluster and proves no failing engine."""

    def __init__(self) -> None:
        super().__init__((), None, None)

    def refresh(self) -> None:
        """Also which engines fail."""
        super().refresh()
        self.failing = open_circuits(AI)

    def target_of(self, task: TaskDefinition, tenant: Tenant) -> tuple[AIEngine, Target]:
        """The engine that answers a task of the tenant. Raises EngineUnusable, in words, when it cannot be asked now."""
        choice = self.choose(tenant, task.engine_id)
        engine = choice.engine
        if engine is None or choice.obstacle in {Obstacle.MISSING, Obstacle.NOT_ALLOWED, Obstacle.DISABLED}:
            raise EngineUnusable(told_of(choice))
        if choice.obstacle == Obstacle.PAUSED:
            raise EngineUnusable(why_unusable(engine))
        if engine.pk in self.failing:
            facts = {"name": engine.name, "why": failing_text(self.failing[engine.pk])}
            raise EngineUnusable(_("The engine “%(name)s”: %(why)s") % facts)
        target = self.target(choice, task.model)
        if engine.pk not in self.accesses:
            limits = Limits(*target.adapter.per_minute)
            self.accesses[engine.pk] = Access(engine, None, target.adapter.concurrency, limits, shared=True)
        if not isinstance(target.entrance, Line):
            target.entrance = Line(self.accesses[engine.pk])
        return engine, target

    def tend(self) -> None:
        """Let requests in between two steps of the loop. Asks the database."""
        for access in self.accesses.values():
            access.tend(0)

"""The engines of one pass: adapters made where the database is, opened where the event loop is."""

import asyncio
from collections.abc import Iterable, Sequence

from aiassistant.choosing import Choice, EngineTable
from aiassistant.engines.base import AIEngine as Adapter
from aiassistant.executing.running import Target
from aiassistant.models import AIEngine
from aiassistant.pacing.access import Access
from aiassistant.pacing.windows import Limits
from aiassistant.pricing import Price
from aiassistant.selectors import adapter_for, engine_table, prices_of
from engines.selectors import EngineUnusable
from jobs.models import JobDefinition
from tenants.models import Tenant


class Engines:
    """Engines, defaults and prices as they stood when they were last looked at.

    ``used`` are those that tasks of the job may ask, as it is now; ``main`` is the engine whose places and circuit the pass holds itself: the only one that the job uses, or None.
    """

    def __init__(self, used: Sequence[AIEngine], job_engine: int | None, request_timeout_s: int | None) -> None:
        self.used, self.job_engine, self.request_timeout_s = used, job_engine, request_timeout_s
        self.main = used[0] if len(used) == 1 else None
        self.targets: dict[tuple[int, str], Target] = {}
        self.opened: set[int] = set()
        self.unusable: dict[int, str] = {}
        self.accesses: dict[int, Access] = {}
        self.lock: asyncio.Lock | None = None
        # Known with the first record that is loaded.
        self.job: JobDefinition | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look again: a handful of queries for a batch."""
        self.table: EngineTable = engine_table()
        self.prices: dict[int, list[Price]] = prices_of(list(self.table.engines))

    def choose(self, tenant: Tenant, engine_id: int | None) -> Choice:
        """The engine of a task of the tenant."""
        return self.table.choose(tenant.pk, task=engine_id, job=self.job_engine)

    def is_main(self, engine_id: int) -> bool:
        """Whether it is the engine whose slots and circuit the pass holds."""
        return self.main is not None and self.main.pk == engine_id

    def target(self, choice: Choice, model: str) -> Target:
        """The opened or still to be opened engine of a choice. Raises EngineUnusable."""
        engine = choice.engine
        assert engine is not None
        key = (engine.pk, model)
        known = self.targets.get(key)
        if known is None:
            adapter = self._adapter(engine, model)
            known = Target(engine.pk, engine.name, adapter, calibration=engine.calibration)
            if self.job is not None:
                known.entrance = self.access(engine, adapter)
            self.targets[key] = known
        known.source = "" if choice.source is None else choice.source.value
        return known

    def access(self, engine: AIEngine, adapter: Adapter) -> Access:
        """What bounds the requests to an engine, of whatever model."""
        assert self.job is not None
        if engine.pk not in self.accesses:
            limits = Limits(*adapter.per_minute)
            shared = self.is_main(engine.pk)
            self.accesses[engine.pk] = Access(engine, self.job, adapter.concurrency, limits, shared)
        return self.accesses[engine.pk]

    def why_not(self, engine: AIEngine) -> str:
        """Why no adapter can be made of an engine; empty when one can."""
        try:
            self._adapter(engine, "")
        except EngineUnusable as error:
            return str(error)
        return ""

    def places(self, engine: AIEngine) -> int:
        """How many requests an engine takes at a time. Raises EngineUnusable."""
        return self._adapter(engine, "").concurrency

    def _adapter(self, engine: AIEngine, model: str) -> Adapter:
        if engine.pk in self.unusable:
            raise EngineUnusable(self.unusable[engine.pk])
        try:
            adapter = adapter_for(engine, self.request_timeout_s)
        except EngineUnusable as error:
            self.unusable[engine.pk] = str(error)
            raise
        if model and hasattr(adapter.options, "model"):
            adapter.options = adapter.options.model_copy(update={"model": model})
        return adapter

    async def open(self, targets: Iterable[Target]) -> None:
        """Open those that are not open yet, inside the loop."""
        self.lock = self.lock or asyncio.Lock()
        async with self.lock:
            for target in targets:
                if id(target) not in self.opened:
                    await target.adapter.open()
                    self.opened.add(id(target))

    async def close(self) -> None:
        """Close all that were opened."""
        for target in self.targets.values():
            if id(target) in self.opened:
                await target.adapter.close()
        self.opened.clear()

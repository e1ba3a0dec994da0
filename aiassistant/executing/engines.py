"""The engines of one pass: adapters made where the database is, opened where the event loop is."""

import asyncio
from collections.abc import Iterable

from aiassistant.choosing import Choice, EngineTable
from aiassistant.engines.base import AIEngine as Adapter
from aiassistant.executing.running import Target
from aiassistant.family import AI
from aiassistant.models import AIEngine
from aiassistant.pricing import Price
from aiassistant.selectors import adapter_for, engine_table, prices_of
from engines.selectors import EngineUnusable, open_circuits
from jobs.circuits.models import Circuit
from tenants.models import Tenant


class Engines:
    """Engines, defaults, prices and circuits as they stood when they were last looked at."""

    def __init__(self, main: AIEngine | None, job_engine: int | None, request_timeout_s: int | None) -> None:
        self.main, self.job_engine, self.request_timeout_s = main, job_engine, request_timeout_s
        self.targets: dict[tuple[int, str], Target] = {}
        self.opened: set[int] = set()
        self.unusable: dict[int, str] = {}
        self.lock: asyncio.Lock | None = None
        # Known with the first record that is loaded.
        self.job_id: int | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look again: a handful of queries for a batch."""
        self.table: EngineTable = engine_table()
        self.circuits: dict[int, Circuit] = open_circuits(AI)
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
            if not self.is_main(engine.pk):
                # The pass has slots of its main engine only; of another it takes as many places as that allows at once.
                known.gate = asyncio.Semaphore(adapter.concurrency)
            self.targets[key] = known
        known.source = "" if choice.source is None else choice.source.value
        return known

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

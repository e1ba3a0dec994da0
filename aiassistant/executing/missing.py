"""What stands in an execution for an engine that there is none of. Never asked."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from aiassistant.engines.base import AIEngine, Completion, Prompt
from core.engines import EngineOptions, Step
from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass


class NoEngine(AIEngine):
    """Of no type, with the model that the task names, or none."""

    label = ""
    options_type: ClassVar[type[EngineOptions]] = EngineOptions
    reads_messages = False

    def __init__(self, model: str) -> None:
        super().__init__(EngineOptions(), OutboundPolicy())
        self._model = model

    @classmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """It has none."""

    @property
    def concurrency(self) -> int:
        """None at all."""
        return 0

    @property
    def model(self) -> str:
        """As the task names it."""
        return self._model

    @property
    def window(self) -> int:
        """Nothing fits."""
        return 0

    @property
    def max_output_tokens(self) -> int:
        """Nothing is answered."""
        return 0

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Raises EngineError."""
        raise EngineError(ErrorClass.CONFIG, "There is no engine to ask.", code="other_engine")

    async def check(self) -> AsyncIterator[Step]:
        """One step, which fails."""
        yield Step("settings", "failed", 0, "There is no engine to ask.")

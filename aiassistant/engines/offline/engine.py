"""The built-in engine."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from pydantic import Field

from aiassistant.engines.base import AIEngine, Completion, Output, OutputType, Prompt, Turn, Usage
from aiassistant.engines.offline.reading import sentences_of
from aiassistant.engines.offline.rules import NotAnswerable, rule_of, unanswerable
from aiassistant.engines.offline.skills import SKILLS, detected
from aiassistant.engines.schemas import EVIDENCE, EXPLANATION
from core.engines import EngineOptions, Step
from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass

MODEL = "rules-1"
WINDOW = 4_000_000
SAMPLE = (
    Turn("Thank you for calling, how can I help you?", "agent", 0),
    Turn("My parcel arrived broken and I am very disappointed. I want my money back.", "customer", 3000),
    Turn("I am sorry to hear that. I will send you a new parcel today.", "agent", 9000),
)
OUTPUTS = (
    Output("sentiment", OutputType.SCORE, minimum=-100, maximum=100, nullable=True, explanation=True, evidence=True),
    Output("summary", OutputType.LONG_TEXT, max_length=200),
    Output("topics", OutputType.TEXT),
)


class OfflineOptions(EngineOptions):
    """There is nothing to connect to."""

    concurrency: int = Field(default=4, ge=1, le=64, title="Conversations at a time")


class OfflineEngine(AIEngine):
    """Answers from ``Prompt.source`` by the rules of the outputs; in a thread, because it is work for the processor."""

    label = "Built-in, without a language model"
    options_type = OfflineOptions
    reads_messages = False
    options: OfflineOptions
    model = MODEL
    window = WINDOW
    max_output_tokens = WINDOW

    @classmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """It has none."""

    @classmethod
    def unanswerable(cls, outputs: Sequence[Output]) -> dict[str, str]:
        """What no rule answers."""
        return unanswerable(outputs)

    @property
    def concurrency(self) -> int:
        """The setting "Conversations at a time"."""
        return self.options.concurrency

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Values for all outputs. Raises EngineError (INPUT) for an output that it cannot answer, or no source."""
        if not prompt.outputs:
            raise EngineError(
                ErrorClass.INPUT, "The built-in engine answers outputs, not free text.", code="no_outputs"
            )
        values = await asyncio.to_thread(answer, prompt)
        text = orjson.dumps(values).decode()
        return Completion(text=text, values=values, usage=Usage(), model=MODEL, raw=values)

    async def check(self) -> AsyncIterator[Step]:
        """Answers a sample."""
        clock = time.monotonic()
        yield Step("settings", "ok", 25, MODEL)
        yield Step("answer", "running", 25)
        done = await self.complete(Prompt(messages=(), outputs=OUTPUTS, source=SAMPLE, language="en"))
        taken = round((time.monotonic() - clock) * 1000)
        yield Step("answer", "ok", 75, "", taken, done.text)
        yield Step("structured", "ok", 90, "by rules")
        yield Step("usage", "ok", 100, "no tokens, no cost")


def answer(prompt: Prompt) -> dict[str, Any]:
    """The values of all outputs, with explanations and quotes where they are asked for, in the order of the schema."""
    sentences = sentences_of(prompt.source)
    if not sentences:
        raise EngineError(ErrorClass.INPUT, "The conversation has no words.", code="no_source")
    language = detected(sentences, prompt.language)
    values: dict[str, Any] = {}
    for output in prompt.outputs:
        try:
            rule = rule_of(output)
        except NotAnswerable as error:
            raise EngineError(ErrorClass.INPUT, f"{output.name}: {error}", code="not_answerable") from None
        found = SKILLS[rule.skill](output, rule, sentences, language)
        if output.explanation:
            values[output.name + EXPLANATION] = found.explanation
        if output.evidence:
            values[output.name + EVIDENCE] = list(found.quotes)
        values[output.name] = found.value
    return values

"""One task on one conversation: ask, read the answer, have it mended, look for its quotes (providers §6.2).

Runs in the event loop of a pass, without a database. Every request is kept with its cost, also when the whole fails.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from aiassistant.engines.base import Completion, ContextOverflow, Finish, Message, Prompt, Usage
from aiassistant.engines.extraction import NoObject, extract_object
from aiassistant.engines.schemas import strict_schema
from aiassistant.engines.tokens import calibrated, estimate_messages
from aiassistant.executing.evidence import Words, evidence_of
from aiassistant.executing.flags import Flag
from aiassistant.executing.prompts import Subject, lines_of, messages_of, new_nonce
from aiassistant.executing.running import Ask, Part, Ran, Target
from aiassistant.executing.suspicion import asks_something, flags_of
from aiassistant.library.definitions import TaskDefinition
from aiassistant.library.outputs import Judged, judge
from core.outcomes import EngineError, ErrorClass, Reason

REPAIRS = 2
# What is shown to the model of an answer that it is to mend.
MAX_SHOWN = 20_000


class Ended(Exception):
    """The execution has failed; what it failed of is in ``Ran``."""


def begin(task: TaskDefinition, target: Target, key: str) -> Ran:
    """An execution that starts now."""
    return Ran(task, target, key, timezone.now())


async def execute(ran: Ran, subject: Subject, *, within_s: float | None = None) -> Ran:
    """Bring an execution to its end; raises nothing. ``within_s`` is what the conversation has left of its time."""
    limit_s = min(ran.task.limits.conversation_timeout_s, within_s if within_s is not None else float("inf"))
    limit = asyncio.timeout(max(limit_s, 0.0))
    try:
        async with limit:
            await _Asking(ran, subject).go()
    except Ended:
        pass
    except EngineError as error:
        ran.trouble(error)
    except TimeoutError:
        ran.fail(Reason.CHECKS_EXHAUSTED, f"No result within {limit_s:.0f} seconds")
    ran.ended_at = timezone.now()
    return ran


class Requests:
    """Making requests for an execution within its limits, and keeping what they cost."""

    def __init__(self, ran: Ran, subject: Subject) -> None:
        self.ran, self.subject = ran, subject
        self.task, self.target, self.adapter = ran.task, ran.target, ran.target.adapter
        self.cap = self.task.params.max_output_tokens or self.adapter.max_output_tokens

    async def request(
        self,
        messages: Sequence[Message],
        schema: Mapping[str, Any],
        part: Part,
        *,
        cap: int | None = None,
        temperature: float | None = None,
    ) -> Completion:
        """One request. Raises EngineError, and Ended when the task may make no more."""
        most = self.task.limits.max_requests
        if len(self.ran.asks) >= most:
            self.fail(Reason.TOO_LONG, f"No result within {most} requests")
        estimated = estimate_messages(messages)
        prompt = Prompt(
            messages=tuple(messages),
            outputs=self.task.outputs,
            schema=schema,
            schema_name=self.task.key[:64],
            source=() if self.adapter.reads_messages else self.subject.source,
            language=self.subject.text.language,
            max_output_tokens=cap or self.cap,
            temperature=self.task.params.temperature if temperature is None else temperature,
            reasoning=self.task.params.reasoning.value,
            expected_tokens=calibrated(estimated, self.target.calibration),
            reference=str(self.ran.execution_id),
        )
        clock = time.monotonic()
        try:
            completion = await ask(self.target, prompt, self.task.limits.request_timeout_s, patient=bool(self.ran.asks))
        except ContextOverflow as overflow:
            if overflow.usage is not None:
                self.keep(part, overflow.usage, messages, "", clock, estimated, note=overflow.message)
            raise
        self.keep(part, completion.usage, messages, completion.text, clock, estimated, model=completion.model)
        self.ran.flags |= ignored(self.task, self.target)
        return completion

    def keep(
        self,
        part: Part,
        usage: Usage,
        messages: Sequence[Message],
        answer: str,
        clock: float,
        expected: int,
        *,
        model: str = "",
        note: str = "",
    ) -> None:
        """Add a request to the execution; engines that read no messages were sent none."""
        sent = tuple(messages) if self.adapter.reads_messages else ()
        latency = round((time.monotonic() - clock) * 1000)
        self.ran.asks.append(Ask(part, usage, sent, answer, note, model, latency, expected))

    def note(self, text: str) -> None:
        """Say what was wrong with the last answer, for support."""
        last = self.ran.asks[-1]
        self.ran.asks[-1] = Ask(
            last.part, last.usage, last.messages, last.answer, text, last.model, last.latency_ms, last.expected
        )

    def fail(self, reason: Reason, detail: str) -> None:
        """End the execution without values."""
        self.ran.fail(reason, detail)
        raise Ended

    async def answered(self, messages: Sequence[Message], part: Part) -> Judged:
        """The judged answer to the task, after repeating and mending where that is allowed. Raises Ended, EngineError."""
        schema = strict_schema(self.task.outputs)
        sent, cap, temperature, spare = list(messages), self.cap, None, {"cut", "empty"}
        while True:
            completion = await self._tried(sent, schema, part, cap, temperature, spare)
            if completion is None:
                part = "retry"
                continue
            if completion.finish in {Finish.REFUSED, Finish.FILTERED}:
                self.fail(Reason.REFUSED, str(Reason.REFUSED.label))
            if completion.finish == Finish.LENGTH:
                longer = min(cap * 2, self.adapter.window // 2)
                if "cut" not in spare or longer <= cap:
                    self.ran.flags.add(Flag.TRUNCATED.value)
                    self.fail(Reason.INVALID_OUTPUT, f"The answer was cut after {cap} tokens")
                spare.discard("cut")
                cap, part = longer, "retry"
                continue
            if not completion.text.strip():
                self._spend(spare, "The answer was empty")
                part = "retry"
                continue
            judged, problems = self._judged(completion)
            if judged is not None:
                return judged
            self.note("\n".join(problems))
            if self.ran.repairs >= REPAIRS or not self.adapter.reads_messages:
                self.fail(Reason.INVALID_OUTPUT, _told(self.task, problems, self.ran.repairs))
            sent = [*messages, *_mend(completion.text, problems)]
            part, temperature = "repair", 0.0

    async def _tried(
        self,
        sent: Sequence[Message],
        schema: Mapping[str, Any],
        part: Part,
        cap: int,
        temperature: float | None,
        spare: set[str],
    ) -> Completion | None:
        """One request; None when the server's answer was none and may be asked for once more."""
        try:
            return await self.request(sent, schema, part, cap=cap, temperature=temperature)
        except EngineError as error:
            if error.error_class != ErrorClass.OUTPUT:
                raise
            self._spend(spare, error.message)
            return None

    def _spend(self, spare: set[str], why: str) -> None:
        if "empty" not in spare:
            self.fail(Reason.INVALID_OUTPUT, why)
        spare.discard("empty")

    def _judged(self, completion: Completion) -> tuple[Judged | None, tuple[str, ...]]:
        try:
            values = completion.values if completion.values is not None else extract_object(completion.text)
        except NoObject as error:
            return None, (str(error),)
        judged = judge(self.task.outputs, values)
        return (None, judged.problems) if judged.problems else (judged, ())


class _Asking(Requests):
    """The whole of it."""

    async def go(self) -> None:
        """Ask in one piece, or in the way of the task where that is too long; then keep what was judged."""
        from aiassistant.executing.overflow import in_parts

        if not self.adapter.reads_messages:
            self.settle(await self.answered((), "ask"))
            return
        lines = await asyncio.to_thread(lines_of, self.subject.text.turns)
        if asks_something(line.text for line in lines):
            self.ran.flags.add(Flag.INJECTION.value)
        window = self.adapter.window
        messages = messages_of(self.task, self.subject, lines, new_nonce())
        if fits(self.target, messages, self.cap, window):
            try:
                self.settle(await self.answered(messages, "ask"))
                return
            except ContextOverflow as overflow:
                window = min(overflow.window or window, self.adapter.window, window * 3 // 4)
        self.settle(await in_parts(self, lines, window))

    def settle(self, judged: Judged) -> None:
        """Values, with their quotes looked for in the conversation."""
        settle(self.ran, judged, self.subject)


async def ask(target: Target, prompt: Prompt, timeout_s: float, *, patient: bool = False) -> Completion:
    """One request to an engine, when it may be sent. Raises EngineError (TRANSIENT) when its time is over."""
    most = (prompt.expected_tokens or 0) + (prompt.max_output_tokens or 0)
    async with target.entrance.turn(most, patient=patient) as turn:
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                completion = await target.adapter.complete(prompt)
                turn.usage = completion.usage
                return completion
        except TimeoutError:
            if not limit.expired():
                raise
            text = f"No answer within {timeout_s:.0f} seconds"
            raise EngineError(ErrorClass.TRANSIENT, text, code="timeout") from None


def ignored(task: TaskDefinition, target: Target) -> set[str]:
    """The settings of a task that its model was not sent, because it does not take them: flags of the execution."""
    known = target.adapter.capabilities
    if not target.adapter.reads_messages:
        # An engine that goes by rules has no such settings at all, and tasks are written for models.
        return set()
    found = set()
    if task.params.temperature is not None and known.temperature is False:
        found.add(Flag.NO_TEMPERATURE.value)
    if task.params.reasoning and known.reasoning is False:
        found.add(Flag.NO_REASONING.value)
    return found


def fits(target: Target, messages: Sequence[Message], cap: int, window: int) -> bool:
    """Whether prompt and answer fit, by the calibrated estimate and with eight per cent to spare."""
    # So many signs are too many in any script; a real count would take long.
    if sum(len(message.content) for message in messages) > window * 8:
        return False
    return calibrated(estimate_messages(messages), target.calibration) + cap <= window * 0.92


def settle(ran: Ran, judged: Judged, subject: Subject) -> None:
    """Keep a judged answer in its execution."""
    words = Words(subject.text)
    found = {name: evidence_of(words, quotes) for name, quotes in judged.quotes.items()}
    ran.evidence = {name: quotes for name, (quotes, _false) in found.items()}
    ran.values, ran.explanations = judged.values, judged.explanations
    ran.flags |= {Flag.UNVERIFIED.value} if any(false for _quotes, false in found.values()) else set()
    ran.flags |= {Flag.CUT.value} if judged.cut else set()
    system = next((m.content for each in ran.asks for m in each.messages if m.role == "system"), "")
    ran.flags |= flags_of(ran.asks[-1].answer, judged.values, system) if ran.asks else set()


def _mend(answer: str, problems: Sequence[str]) -> list[Message]:
    """A repair turn: the bad answer, and what is wrong with it."""
    numbered = "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems, start=1))
    text = f"Your answer cannot be used:\n{numbered}\nAnswer again with the whole JSON object, mended."
    return [Message("assistant", answer[:MAX_SHOWN]), Message("user", text)]


def _told(task: TaskDefinition, problems: Sequence[str], repairs: int) -> str:
    """Which outputs were wrong; what stood in them is not for logs."""
    names = [output.name for output in task.outputs if any(f"“{output.name}" in problem for problem in problems)]
    what = ", ".join(f"“{name}”" for name in names) or "the form of the answer"
    return f"Not usable after {repairs} repairs: {what}" if repairs else f"Not usable: {what}"

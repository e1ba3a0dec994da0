"""Several tasks of one conversation in one request, where the schema allows it.

The answer has an object for each task. A task whose part cannot be used is asked alone, with all that belongs to it; so
the worst that this can cost is one request.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.utils import timezone

from aiassistant.engines.base import Completion, Finish, Message, Prompt
from aiassistant.engines.extraction import NoObject, extract_object
from aiassistant.engines.schemas import MAX_PROPERTIES, strict_schema
from aiassistant.engines.tokens import calibrated, estimate_messages
from aiassistant.executing.asking import ask, execute, fits, ignored, settle
from aiassistant.executing.flags import Flag
from aiassistant.executing.prompts import (
    ANSWER_RULE,
    DATA_RULE,
    Subject,
    block,
    lines_of,
    new_nonce,
    request_of,
    system_of,
)
from aiassistant.executing.running import Ask, Ran, shares
from aiassistant.executing.suspicion import asks_something
from aiassistant.library.outputs import judge
from core.outcomes import TREATMENTS, EngineError

MOST_TASKS = 8
TOGETHER_RULE = "Several tasks are given. Answer each by itself, in the property that is named like the task."


def batches(rans: Sequence[Ran], *, together: bool) -> list[list[Ran]]:
    """The executions of one conversation, those that can share a request in one list.

    They can when the engine reads messages, its settings for them are the same and all their properties fit into one
    schema. The order stays, because later tasks may ask for what earlier ones said.
    """
    if not together:
        return [[ran] for ran in rans]
    found: list[list[Ran]] = []
    for ran in rans:
        last = found[-1] if found else []
        if last and _likeness(last[0]) == _likeness(ran) and _room(last, ran):
            last.append(ran)
        else:
            found.append([ran])
    return found


async def execute_together(rans: Sequence[Ran], subject: Subject, *, within_s: float | None = None) -> None:
    """Bring executions that share a request to their ends; raises nothing.

    ``within_s`` is what the conversation has left of its time. The shared request counts for the time of each task.
    """
    left_s = float("inf") if within_s is None else within_s
    began = time.monotonic()
    shared_s = 0.0
    if len(rans) > 1:
        # Tasks with more time than the others, or not answered, are asked alone, within what is left of it.
        with suppress(TimeoutError):
            async with asyncio.timeout(max(min(left_s, *(_time_of(ran) for ran in rans)), 0.0)):
                await _first_request(rans, subject)
        shared_s = time.monotonic() - began
    for ran in rans:
        if ran.completed or ran.later is not None:
            ran.ended_at = ran.ended_at or timezone.now()
        else:
            spent_s = time.monotonic() - began
            await execute(ran, subject, within_s=min(left_s - spent_s, _time_of(ran) - shared_s))


def _time_of(ran: Ran) -> float:
    return float(ran.task.limits.conversation_timeout_s)


async def _first_request(rans: Sequence[Ran], subject: Subject) -> None:
    """Ask all at once; what is answered well is settled, what has to wait is marked so, the others stay open."""
    target = rans[0].target
    lines = lines_of(subject.text.turns)
    messages = _messages(rans, subject, block(lines, new_nonce()))
    caps = [ran.task.params.max_output_tokens or target.adapter.max_output_tokens for ran in rans]
    cap = min(sum(caps), target.adapter.max_output_tokens * 2)
    if not fits(target, messages, cap, target.adapter.window):
        return
    schema = _schema({ran.task.key: strict_schema(ran.task.outputs) for ran in rans})
    expected = estimate_messages(messages)
    prompt = Prompt(
        messages=messages,
        schema=schema,
        schema_name="tasks",
        language=subject.text.language,
        max_output_tokens=cap,
        temperature=rans[0].task.params.temperature,
        reasoning=rans[0].task.params.reasoning.value,
        expected_tokens=calibrated(expected, target.calibration),
        reference=str(rans[0].execution_id),
    )
    try:
        completion = await ask(target, prompt, max(ran.task.limits.request_timeout_s for ran in rans))
    except EngineError as error:
        if TREATMENTS[error.error_class].retry:
            for ran in rans:
                ran.trouble(error)
        return
    latency = round((timezone.now() - rans[0].started_at).total_seconds() * 1000)
    for place, (ran, usage) in enumerate(zip(rans, shares(completion.usage, len(rans)), strict=True)):
        ran.shared = len(rans)
        ran.flags |= ignored(ran.task, target)
        # The words of the request are kept once; its tokens teach nothing when they are divided.
        sent = messages if place == 0 else ()
        ran.asks.append(Ask("ask", usage, sent, completion.text, "", completion.model, latency // len(rans)))
    _settle_all(
        rans, completion, subject, {Flag.INJECTION.value} if asks_something(line.text for line in lines) else set()
    )


def _settle_all(rans: Sequence[Ran], completion: Completion, subject: Subject, flags: set[str]) -> None:
    answer = _object(completion)
    for ran in rans:
        ran.flags |= flags
        part = answer.get(ran.task.key)
        judged = judge(ran.task.outputs, part) if isinstance(part, Mapping) else None
        if judged is not None and not judged.problems:
            settle(ran, judged, subject)
        else:
            ran.asks[-1] = replace(ran.asks[-1], note="\n".join(judged.problems if judged else ("no answer",)))


def _object(completion: Completion) -> Mapping[str, Any]:
    if completion.finish != Finish.STOP:
        return {}
    try:
        return completion.values if completion.values is not None else extract_object(completion.text)
    except NoObject:
        return {}


def _messages(rans: Sequence[Ran], subject: Subject, transcript: str) -> tuple[Message, ...]:
    systems = [f"# Task “{ran.task.key}”\n{system_of(ran.task, subject.values)}" for ran in rans]
    asked = [f"# Task “{ran.task.key}”\n{request_of(ran.task, subject)}" for ran in rans]
    system = "\n\n".join([TOGETHER_RULE, *systems, DATA_RULE, ANSWER_RULE])
    return Message("system", system), Message("user", "\n\n".join([*asked, transcript]))


def _schema(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(parts), "required": list(parts), "additionalProperties": False}


def _likeness(ran: Ran) -> Any:
    reads = ran.target.adapter.reads_messages
    return (id(ran.target), ran.task.params.temperature, ran.task.params.reasoning) if reads else ran.execution_id


def _room(group: Sequence[Ran], ran: Ran) -> bool:
    """Whether one more task fits; one that asks for what another says cannot be answered beside it."""
    properties = sum(len(strict_schema(each.task.outputs)["properties"]) + 1 for each in (*group, ran))
    apart = any(f"previous.{each.task.key}." in ran.task.user_template for each in group)
    return len(group) < MOST_TASKS and properties <= MAX_PROPERTIES and not apart

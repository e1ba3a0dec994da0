"""A conversation that is longer than the engine's window (providers §6.3).

``map_reduce`` has each part read into notes, then answers from the notes, which are read in parts again when they are
too long themselves. ``head_tail`` leaves the middle out. ``fail`` does not answer.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiassistant.engines.base import ContextOverflow, Finish, Message
from aiassistant.engines.budget import NoRoom, Piece, head_and_tail, pieces, room_for_source
from aiassistant.engines.extraction import NoObject, extract_object
from aiassistant.engines.schemas import strict_schema
from aiassistant.engines.tokens import calibrated, estimate, estimate_messages
from aiassistant.executing.asking import Requests, fits
from aiassistant.executing.prompts import Line, block, messages_of, new_nonce, request_of, system_of
from aiassistant.library.definitions import Overflow
from aiassistant.library.outputs import Judged
from core.outcomes import Reason

MAX_DEPTH = 3
MAX_FACTS = 40
MAX_QUOTES = 10
MAX_NOTE = 500
# The window of a server that cuts is found by asking; so often it may turn out to be smaller than was thought.
TRIES = 3
LEFT_OUT = "… the middle of the conversation is left out: {n} lines …"
NOTES_RULE = (
    "The conversation is too long to be read at once. You are given part {part} of {parts}. Do not answer the task yet: "
    "take notes of what matters for it. “facts” are short sentences, “quotes” at most ten exact quotes, “partial” the "
    "answer as far as this part alone shows it. The task is:"
)


async def in_parts(asking: Requests, lines: Sequence[Line], window: int) -> Judged:
    """The answer by the way of the task. Raises Ended, EngineError."""
    if asking.task.overflow == Overflow.FAIL:
        asking.fail(Reason.TOO_LONG, f"The conversation does not fit into {window} tokens")
    if sum(len(line.text) for line in lines) > window * 8 * asking.task.limits.max_requests:
        asking.fail(Reason.TOO_LONG, "The conversation is too long for the requests that the task may make")
    for _try in range(TRIES):
        try:
            return await _one_way(asking, lines, window)
        except ContextOverflow as overflow:
            window = min(overflow.window or window, window * 3 // 4)
        except NoRoom as error:
            asking.fail(Reason.TOO_LONG, str(error))
    asking.fail(Reason.TOO_LONG, "The engine's window turned out to be smaller again and again")
    raise AssertionError


async def _one_way(asking: Requests, lines: Sequence[Line], window: int) -> Judged:
    asking.ran.path = asking.task.overflow.value
    if asking.task.overflow == Overflow.HEAD_TAIL:
        kept = await asyncio.to_thread(_ends, asking, lines, window)
        messages = messages_of(asking.task, asking.subject, kept, new_nonce())
        return await asking.answered(messages, "ask")
    notes: Sequence[Line] = lines
    asking.ran.chunks = 1
    for _depth in range(MAX_DEPTH):
        notes = await _noted(asking, notes, window)
        messages = messages_of(asking.task, asking.subject, notes, new_nonce())
        if fits(asking.target, messages, asking.cap, window):
            return await asking.answered(messages, "reduce")
    asking.fail(Reason.TOO_LONG, f"Even the notes of notes do not fit into {window} tokens")
    raise AssertionError


def _ends(asking: Requests, lines: Sequence[Line], window: int) -> list[Line]:
    messages = messages_of(asking.task, asking.subject, [], new_nonce())
    room = room_for_source(window=window, max_output=asking.cap, overhead=_size(asking, messages))
    split = _split(asking, lines, room // 2)
    head, tail = head_and_tail([_line_size(asking, line) for line in split], room, mark=20)
    gone = len(split) - head - tail
    return [*split[:head], Line(-1, "", LEFT_OUT.format(n=gone)), *split[len(split) - tail :]] if gone else split


async def _noted(asking: Requests, lines: Sequence[Line], window: int) -> list[Line]:
    """Each part as notes, in order. One part after the other: a conversation has one place at the engine."""
    parts = await asyncio.to_thread(_parts, asking, lines, window)
    most = asking.task.limits.max_requests - len(asking.ran.asks) - 1
    if len(parts) > most:
        asking.fail(Reason.TOO_LONG, f"{len(parts)} parts are more than the {most} requests that are left")
    asking.ran.chunks = max(asking.ran.chunks, len(parts))
    notes: list[Line] = []
    for number, part in enumerate(parts, start=1):
        notes += await _notes(asking, part, number, len(parts))
    return notes


def _parts(asking: Requests, lines: Sequence[Line], window: int) -> list[list[Line]]:
    overhead = _size(asking, _map_messages(asking, [], 99, 99))
    room = room_for_source(window=window, max_output=asking.cap, overhead=overhead)
    split = _split(asking, lines, room)
    cuts: list[Piece] = pieces([_line_size(asking, line) for line in split], room)
    return [split[cut.first : cut.last + 1] for cut in cuts]


async def _notes(asking: Requests, lines: Sequence[Line], number: int, of: int) -> list[Line]:
    """The notes on one part, asked for once more where they cannot be used: with twice the cap where they were cut."""
    messages, cap = _map_messages(asking, lines, number, of), asking.cap
    for part in ("map", "retry"):
        completion = await asking.request(messages, _notes_schema(asking), part, cap=cap)
        if completion.finish in {Finish.REFUSED, Finish.FILTERED}:
            asking.fail(Reason.REFUSED, str(Reason.REFUSED.label))
        if completion.finish == Finish.LENGTH:
            asking.note(f"The answer was cut after {cap} tokens")
            cap = min(cap * 2, asking.adapter.window // 2)
            continue
        try:
            return _as_lines(extract_object(completion.text), number)
        except NoObject as error:
            asking.note(str(error))
    asking.fail(Reason.INVALID_OUTPUT, f"The notes on part {number} of {of} cannot be used")
    raise AssertionError


def _map_messages(asking: Requests, lines: Sequence[Line], number: int, of: int) -> list[Message]:
    task, subject = asking.task, asking.subject
    system = "\n\n".join([NOTES_RULE.format(part=number, parts=of), system_of(task, subject.values)])
    return [Message("system", system), Message("user", f"{request_of(task, subject)}\n\n{block(lines, new_nonce())}")]


def _notes_schema(asking: Requests) -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string"}}
    properties = {"facts": texts, "quotes": texts, "partial": strict_schema(asking.task.outputs)}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _as_lines(notes: dict[str, Any], number: int) -> list[Line]:
    """Notes are a model's words about what callers said: data as well, and cleaned as such."""
    found = []
    for name, most in (("facts", MAX_FACTS), ("quotes", MAX_QUOTES)):
        texts = notes.get(name)
        for text in (texts if isinstance(texts, list) else [])[:most]:
            if isinstance(text, str) and text.strip():
                found.append(Line(number, f"[part {number}] {name.removesuffix('s')}: ", _short(text)))
    if isinstance(notes.get("partial"), dict):
        told = json.dumps(notes["partial"], ensure_ascii=False)
        found.append(Line(number, f"[part {number}] partial: ", _short(told, 4 * MAX_NOTE)))
    return found or [Line(number, f"[part {number}] ", "nothing")]


def _short(text: str, most: int = MAX_NOTE) -> str:
    return " ".join(text.replace("<<", "‹‹").split())[:most]


def _split(asking: Requests, lines: Sequence[Line], room: int) -> list[Line]:
    """Lines that alone are longer than the room, in pieces that are not."""
    found: list[Line] = []
    for line in lines:
        size = _line_size(asking, line)
        if size <= room:
            found.append(line)
            continue
        step = max(len(line.text) * max(room - _line_size(asking, Line(line.turn, line.tag, "")), 1) // (2 * size), 1)
        found += [Line(line.turn, line.tag, line.text[at : at + step]) for at in range(0, len(line.text), step)]
    return found


def _line_size(asking: Requests, line: Line) -> int:
    return calibrated(estimate(line.shown) + 1, asking.target.calibration) + 1


def _size(asking: Requests, messages: Sequence[Message]) -> int:
    return calibrated(estimate_messages(messages), asking.target.calibration)

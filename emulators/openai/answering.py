"""Answers in the shapes of both interfaces, with the tricks that real servers play."""

import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import Any

from emulators.openai import brain, obedience
from emulators.openai.asking import Ask
from emulators.openai.settings import Settings, Trick
from emulators.openai.tokens import count, cut


@dataclass(frozen=True)
class Answer:
    """What is said, and how it ended; ``usage`` False leaves the counts out."""

    text: str
    refusal: str | None
    finish: str | None
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    usage: bool = True


def think(ask: Ask, settings: Settings, trick: Trick | None, cached: int) -> Answer:
    """The answer to a request; the same one for the same request and settings."""
    reading = brain.read(ask.messages)
    schema = ask.schema or brain.schema_in_prompt(ask.messages)
    if schema is None:
        text = brain.answer_text(reading) if ask.rung != "json_object" else json.dumps({"answer": "ok"})
    else:
        filled = brain.fill(schema, reading, adversarial=settings.mood == "adversarial")
        if ask.rung == "json_schema" and isinstance(filled, dict):
            # The vendor samples only what the schema allows: no foreign keys, however the model was talked round.
            filled = {name: value for name, value in filled.items() if name in schema.get("properties", {})}
        text = json.dumps(filled, ensure_ascii=False)
    if schema is not None and settings.mood == "obedient":
        text = obedience.answer(schema, reading, ask.messages)
    if settings.flavour == "plain":
        text = f"<think>Let me look at {{this}}.</think>\nHere it is:\n```json\n{text}\n```" if schema else text
    reasoning = ask.model.reasoning_tokens
    answer = Answer(text, None, "stop", ask.prompt_tokens, cached, count(text) + reasoning, reasoning)
    answer = _tricked(answer, trick)
    if answer.completion_tokens > ask.cap:
        room = max(ask.cap - answer.reasoning_tokens, 0)
        answer = replace(answer, text=cut(answer.text, room), finish="length", completion_tokens=ask.cap)
    return replace(answer, usage=False) if settings.flavour == "plain" else answer


def _tricked(answer: Answer, trick: Trick | None) -> Answer:
    text = answer.text
    said = {
        "not_json": "I am sorry, here is what I think about this call: it went well.",
        "garbage": '{"a": NaN, "a": 1e999, "deep": ' + "[" * 2000,
        "fenced": f"\ufeffSure!\n```json\n{text}\n```\nAnything else?",
        "thinking": f"<think>The schema is {{odd}}.</think>{text}",
        "empty": "",
        "truncated": text[: len(text) // 2],
        "endless": "repeat " * 20_000,
    }.get(trick or "")
    if said is not None:
        finish = "length" if trick in {"truncated", "endless"} else "stop"
        tokens = count(said) + answer.reasoning_tokens
        return replace(answer, text=said, finish=finish, completion_tokens=tokens)
    if trick == "refusal":
        return replace(answer, text="", refusal="I'm sorry, I can't help with that.", completion_tokens=12)
    if trick == "no_usage":
        return replace(answer, usage=False)
    if trick == "wrong_usage":
        return replace(answer, prompt_tokens=0, completion_tokens=-7, cached_tokens=10**12)
    if trick == "null_finish":
        return replace(answer, finish=None)
    if trick in {"wrong_types", "extra_keys"}:
        return replace(answer, text=_mistyped(text, extra=trick == "extra_keys"))
    return answer


def _mistyped(text: str, *, extra: bool) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        return text
    if not isinstance(values, dict):
        return text
    if extra:
        return json.dumps({**values, "is_admin": True, "__proto__": {}})
    return json.dumps(
        {name: {"value": value} if isinstance(value, str) else str(value) for name, value in values.items()}
    )


def chat_shape(ask: Ask, answer: Answer, settings: Settings) -> dict[str, Any]:
    """The body of Chat Completions in the flavour of the server."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": answer.refusal}
    choice: dict[str, Any] = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    usage: dict[str, Any] = {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
    }
    body: dict[str, Any] = {
        "id": _id("chatcmpl-", ask),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": ask.model_name,
        "choices": [choice],
        "usage": usage if answer.usage else None,
    }
    if settings.flavour == "azure":
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": {}}]
        choice["content_filter_results"] = {"hate": {"filtered": False, "severity": "safe"}}
    if settings.flavour == "llamacpp":
        body["timings"] = {"prompt_n": answer.prompt_tokens, "predicted_n": answer.completion_tokens}
        message["reasoning_content"] = ""
    if settings.flavour in {"ollama", "plain"}:
        body["id"] = ""
        usage.pop("prompt_tokens_details")
        usage.pop("completion_tokens_details")
    if settings.flavour == "plain":
        body.pop("usage")
    return body


def responses_shape(ask: Ask, answer: Answer) -> dict[str, Any]:
    """The body of Responses."""
    part: dict[str, Any] = {"type": "output_text", "text": answer.text, "annotations": []}
    if answer.refusal is not None:
        part = {"type": "refusal", "refusal": answer.refusal}
    cut_short = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish or "")
    item = {"type": "message", "id": _id("msg_", ask), "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": _id("resp_", ask),
        "object": "response",
        "created_at": int(time.time()),
        "model": ask.model_name,
        "status": "incomplete" if cut_short else "completed",
        "incomplete_details": {"reason": cut_short} if cut_short else None,
        "error": None,
        "output": [{"type": "reasoning", "id": _id("rs_", ask), "summary": []}, item],
        "usage": {
            "input_tokens": answer.prompt_tokens,
            "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": answer.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        }
        if answer.usage
        else None,
    }


def digest(ask: Ask) -> str:
    """What the journal knows a prompt by: never its text."""
    return hashlib.sha256(json.dumps([ask.model_name, ask.messages], ensure_ascii=False).encode()).hexdigest()


def _id(prefix: str, ask: Ask) -> str:
    return prefix + digest(ask)[:24]

"""The two interfaces, as bodies to send and answers to read. Nothing a server sends is trusted (providers §3.2, §3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aiassistant.engines.base import Finish, Message, Prompt, Usage
from aiassistant.engines.capabilities import Capabilities, Rung
from core.outcomes import EngineError, ErrorClass

MAX_TOKENS_REPORTED = 100_000_000
Model = TypeVar("Model", bound=BaseModel)


def _lenient_count(value: object) -> int:
    """Servers leave counts out, send null, text or nonsense; nonsense is as if it were not said."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0
    return number if 0 <= number <= MAX_TOKENS_REPORTED else 0


def _lenient_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _lenient_object(value: object) -> object:
    return value if isinstance(value, dict) else {}


Count = Annotated[int, BeforeValidator(_lenient_count)]
Text = Annotated[str, BeforeValidator(_lenient_text)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Details(_Answer):
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0


Details = Annotated[_Details, BeforeValidator(_lenient_object)]


class _ChatUsage(_Answer):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: Details = _Details()
    completion_tokens_details: Details = _Details()


class _ChatMessage(_Answer):
    content: Text = ""
    refusal: Text = ""


class _Choice(_Answer):
    message: _ChatMessage
    finish_reason: Text = ""


class ChatAnswer(_Answer):
    """The answer of Chat Completions."""

    id: Text = ""
    model: Text = ""
    choices: list[_Choice] = Field(min_length=1, max_length=20)
    usage: Annotated[_ChatUsage, BeforeValidator(_lenient_object)] = _ChatUsage()


class _Content(_Answer):
    type: Text = ""
    text: Text = ""
    refusal: Text = ""


class _Item(_Answer):
    type: Text = ""
    content: list[_Content] = []


class _Incomplete(_Answer):
    reason: Text = ""


class _ResponsesUsage(_Answer):
    input_tokens: Count = 0
    output_tokens: Count = 0
    input_tokens_details: Details = _Details()
    output_tokens_details: Details = _Details()


class ResponsesAnswer(_Answer):
    """The answer of Responses."""

    id: Text = ""
    model: Text = ""
    status: Text = ""
    output: list[_Item] = Field(max_length=1000)
    incomplete_details: Annotated[_Incomplete, BeforeValidator(_lenient_object)] = _Incomplete()
    error: Annotated[dict[str, Any], BeforeValidator(_lenient_object)] = {}
    usage: Annotated[_ResponsesUsage, BeforeValidator(_lenient_object)] = _ResponsesUsage()


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of either interface, read."""

    text: str
    finish: Finish
    usage: Usage
    model: str
    answer_id: str


@dataclass(frozen=True, slots=True)
class Sent:
    """How a request is made up: the rung for JSON, and the caps and settings that are sent at all."""

    prompt: Prompt
    model: str
    rung: Rung
    max_output_tokens: int
    temperature: float | None
    capabilities: Capabilities
    reasoning: str = ""


def chat_body(sent: Sent) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``."""
    messages = [{"role": message.role, "content": message.content} for message in _messages(sent)]
    cap = "max_tokens" if sent.capabilities.max_completion_tokens is False else "max_completion_tokens"
    body: dict[str, Any] = {"model": sent.model, "messages": messages, cap: sent.max_output_tokens}
    if sent.temperature is not None:
        body["temperature"] = sent.temperature
    if sent.reasoning:
        body["reasoning_effort"] = sent.reasoning
    if sent.prompt.schema is not None and sent.rung == "json_schema":
        described = {"name": sent.prompt.schema_name, "strict": True, "schema": sent.prompt.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": described}
    elif sent.prompt.schema is not None and sent.rung == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def responses_body(sent: Sent) -> dict[str, Any]:
    """Arguments of ``responses.create``; nothing is stored at the vendor."""
    body: dict[str, Any] = {
        "model": sent.model,
        "input": [{"role": message.role, "content": message.content} for message in _messages(sent)],
        "max_output_tokens": sent.max_output_tokens,
        "store": False,
    }
    if sent.temperature is not None:
        body["temperature"] = sent.temperature
    if sent.reasoning:
        body["reasoning"] = {"effort": sent.reasoning}
    if sent.prompt.schema is not None and sent.rung == "json_schema":
        described = {"type": "json_schema", "name": sent.prompt.schema_name, "strict": True}
        body["text"] = {"format": {**described, "schema": sent.prompt.schema}}
    elif sent.prompt.schema is not None and sent.rung == "json_object":
        body["text"] = {"format": {"type": "json_object"}}
    return body


def read_chat(data: Any) -> Said:
    """Raises EngineError (OUTPUT) for what is no answer."""
    answer = _read(ChatAnswer, data)
    choice = answer.choices[0]
    usage = answer.usage
    finish = _FINISH.get(choice.finish_reason, Finish.STOP)
    if choice.message.refusal:
        finish = Finish.REFUSED
    counted = Usage(
        prompt=usage.prompt_tokens,
        cached=min(usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens),
        completion=usage.completion_tokens,
        reasoning=min(usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens),
    )
    return Said(choice.message.refusal or choice.message.content, finish, counted, answer.model, answer.id)


def read_responses(data: Any) -> Said:
    """Raises EngineError (OUTPUT) for what is no answer, TRANSIENT for one that the server calls failed."""
    answer = _read(ResponsesAnswer, data)
    if answer.status == "failed":
        code = str(answer.error.get("code") or "failed")[:100]
        raise EngineError(ErrorClass.TRANSIENT, str(answer.error.get("message") or "The answer failed."), code=code)
    parts = [part for item in answer.output if item.type in {"message", ""} for part in item.content]
    refusal = "".join(part.refusal for part in parts)
    finish = Finish.STOP
    if answer.status == "incomplete":
        finish = Finish.FILTERED if answer.incomplete_details.reason == "content_filter" else Finish.LENGTH
    if refusal:
        finish = Finish.REFUSED
    usage = answer.usage
    counted = Usage(
        prompt=usage.input_tokens,
        cached=min(usage.input_tokens_details.cached_tokens, usage.input_tokens),
        completion=usage.output_tokens,
        reasoning=min(usage.output_tokens_details.reasoning_tokens, usage.output_tokens),
    )
    text = refusal or "".join(part.text for part in parts if part.type in {"output_text", "text", ""})
    return Said(text, finish, counted, answer.model, answer.id)


_FINISH = {"length": Finish.LENGTH, "content_filter": Finish.FILTERED}


def _read(model: type[Model], data: Any) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError:
        message = "The server's answer does not follow the interface."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from None


def _messages(sent: Sent) -> list[Message]:
    messages = list(sent.prompt.messages)
    if sent.prompt.schema is not None and sent.rung != "json_schema":
        messages = _told(messages, sent.prompt.schema)
    if sent.capabilities.system_role is False:
        messages = _without_system(messages)
    return messages


def _told(messages: list[Message], schema: Mapping[str, Any]) -> list[Message]:
    """The schema in words, with the instructions, for servers that cannot be held to one."""
    text = (
        "Answer with one JSON object and nothing else: no explanation around it and no code fence. "
        f"It must follow this JSON schema:\n{orjson.dumps(schema).decode()}"
    )
    if messages and messages[0].role == "system":
        return [Message("system", f"{messages[0].content}\n\n{text}"), *messages[1:]]
    return [Message("system", text), *messages]


def _without_system(messages: list[Message]) -> list[Message]:
    """Instructions at the head of the first message of the user."""
    instructions = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    if not instructions:
        return others
    if others and others[0].role == "user":
        return [Message("user", f"{instructions}\n\n{others[0].content}"), *others[1:]]
    return [Message("user", instructions), *others]

"""Requests of both interfaces, checked like the vendor does and brought into one form."""

from dataclasses import dataclass, replace
from typing import Any

from emulators.openai.refusals import Refused, overflow, unknown_model
from emulators.openai.settings import Model, Settings
from emulators.openai.strictness import SchemaInvalid, check
from emulators.openai.tokens import count_messages, text_of

_CHAT = {"model", "messages", "response_format", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed"}
_CHAT |= {"stop", "n", "user", "store", "metadata", "stream", "reasoning_effort", "presence_penalty"}
_CHAT |= {"frequency_penalty", "logit_bias", "tools", "tool_choice", "service_tier"}
_RESPONSES = {
    "model",
    "input",
    "instructions",
    "text",
    "max_output_tokens",
    "temperature",
    "top_p",
    "store",
    "metadata",
}
_RESPONSES |= {"reasoning", "user", "stream", "tools", "tool_choice", "truncation", "service_tier"}
_ROLES = {"system", "developer", "user", "assistant"}
DEFAULT_CAP = 4096


@dataclass(frozen=True)
class Ask:
    """One request; ``rung`` is how JSON was asked for, ``effort`` how much reasoning.

    ``dropped`` counts tokens that were cut without a word.
    """

    model_name: str
    model: Model
    messages: list[dict[str, str]]
    rung: str
    schema: dict[str, Any] | None
    cap: int
    prompt_tokens: int
    dropped: int
    effort: str = ""


def read_chat(data: Any, settings: Settings, deployment: str | None = None) -> Ask:
    """The body of Chat Completions. Raises Refused."""
    name, model = _common(data, _CHAT, settings, deployment)
    messages = _messages(data.get("messages"), "messages")
    if model.reasons and "max_tokens" in data:
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(400, text, code="unsupported_parameter", param="max_tokens")
    if settings.flavour == "plain" and "max_completion_tokens" in data:
        raise Refused(422, "Extra inputs are not permitted: max_completion_tokens", param="max_completion_tokens")
    cap = _cap(data.get("max_completion_tokens", data.get("max_tokens")), "max_completion_tokens")
    rung, schema = _format(data.get("response_format"), "response_format", settings)
    effort = _effort(data.get("reasoning_effort"), "reasoning_effort", model)
    return replace(_fitted(settings, name, model, messages, rung, schema, cap), effort=effort)


def read_responses(data: Any, settings: Settings) -> Ask:
    """The body of Responses. Raises Refused."""
    name, model = _common(data, _RESPONSES, settings, None)
    given = data.get("input")
    messages = _messages([{"role": "user", "content": given}] if isinstance(given, str) else given, "input")
    if isinstance(data.get("instructions"), str):
        messages.insert(0, {"role": "system", "content": data["instructions"]})
    wanted = (data.get("text") or {}).get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        wanted = {"type": "json_schema", "json_schema": {k: v for k, v in wanted.items() if k != "type"}}
    rung, schema = _format(wanted, "text.format", settings)
    cap = _cap(data.get("max_output_tokens"), "max_output_tokens")
    effort = _effort((data.get("reasoning") or {}).get("effort"), "reasoning.effort", model)
    return replace(_fitted(settings, name, model, messages, rung, schema, cap), effort=effort)


def _common(data: Any, known: set[str], settings: Settings, deployment: str | None) -> tuple[str, Model]:
    if not isinstance(data, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    foreign = sorted(set(data) - known)
    if foreign and settings.flavour in {"openai", "azure"}:
        text = f"Unrecognized request argument supplied: {foreign[0]}"
        raise Refused(400, text, code="unknown_parameter", param=foreign[0])
    name = deployment or data.get("model")
    if not isinstance(name, str) or not name:
        raise Refused(400, "you must provide a model parameter")
    model = settings.models.get(name)
    if model is None and settings.flavour == "llamacpp":
        model = next(iter(settings.models.values()))
    if model is None:
        raise unknown_model(settings.flavour, name)
    if model.reasons and data.get("temperature") not in (None, 1, 1.0):
        text = "Unsupported value: 'temperature' does not support this value with this model. Only the default (1) is."
        raise Refused(400, text, code="unsupported_value", param="temperature")
    temperature = data.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        raise Refused(
            400, "Invalid 'temperature': must be from 0 to 2.", code="decimal_out_of_range", param="temperature"
        )
    return name, model


def _effort(given: Any, param: str, model: Model) -> str:
    if given is None:
        return ""
    if not model.reasons:
        text = f"Unsupported parameter: '{param}' is not supported with this model."
        raise Refused(400, text, code="unsupported_parameter", param=param)
    if given not in {"minimal", "low", "medium", "high"}:
        raise Refused(400, f"Invalid value: '{param}'.", code="invalid_value", param=param)
    return str(given)


def _messages(given: Any, param: str) -> list[dict[str, str]]:
    if not isinstance(given, list) or not given:
        raise Refused(400, f"Invalid '{param}': empty array.", code="empty_array", param=param)
    found = []
    for number, message in enumerate(given):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            place = f"{param}[{number}].role"
            raise Refused(400, f"Invalid value for '{place}'.", code="invalid_value", param=place)
        found.append({"role": message["role"], "content": text_of(message)})
    return found


def _cap(given: Any, param: str) -> int:
    if given is None:
        return DEFAULT_CAP
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        text = f"Invalid '{param}': integer below minimum value. Expected a value >= 1."
        raise Refused(400, text, code="integer_below_min_value", param=param)
    return given


def _format(given: Any, param: str, settings: Settings) -> tuple[str, dict[str, Any] | None]:
    kind = given.get("type") if isinstance(given, dict) else None
    if given is None or kind == "text":
        return "text", None
    if settings.flavour == "plain" and kind in {"json_schema", "json_object"}:
        raise Refused(400, f"'{param}' of type '{kind}' is not supported by this server.", param=param)
    if kind == "json_object":
        return "json_object", None
    if kind != "json_schema":
        raise Refused(400, f"Invalid value for '{param}.type'.", code="invalid_value", param=f"{param}.type")
    described = given.get("json_schema") or {}
    name = described.get("name", "")
    if not isinstance(name, str) or not 1 <= len(name) <= 64 or not name.replace("_", "a").replace("-", "a").isalnum():
        raise Refused(400, f"Invalid '{param}.name'.", code="invalid_value", param=f"{param}.json_schema.name")
    if described.get("strict"):
        try:
            check(described.get("schema"))
        except SchemaInvalid as error:
            text = f"Invalid schema for response_format '{name}': {error}"
            raise Refused(400, text, code=None, param=param) from None
    return "json_schema", described.get("schema")


def _fitted(
    settings: Settings,
    name: str,
    model: Model,
    messages: list[dict[str, str]],
    rung: str,
    schema: dict[str, Any] | None,
    cap: int,
) -> Ask:
    tokens = count_messages(messages)
    dropped = 0
    if settings.flavour == "ollama" and tokens > model.window:
        # Silently: what comes first goes first, as there.
        messages, dropped = _cut(messages, model.window)
        tokens = count_messages(messages)
    elif tokens > model.window or (settings.flavour == "vllm" and tokens + cap > model.window):
        raise overflow(settings.flavour, tokens, model.window)
    return Ask(name, model, messages, rung, schema, cap, tokens, dropped)


def _cut(messages: list[dict[str, str]], window: int) -> tuple[list[dict[str, str]], int]:
    before = count_messages(messages)
    last = dict(messages[-1])
    head = [message for message in messages[:-1] if message["role"] in {"system", "developer"}]
    room = window - count_messages(head) - 8
    while count_messages([last]) > room and last["content"]:
        last["content"] = last["content"][len(last["content"]) // 20 + 1 :]
    kept = [*head, last]
    return kept, before - count_messages(kept)

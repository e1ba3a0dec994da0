"""The adapters: one client of the vendor's SDK behind our guard, for three kinds of servers.

See ``core.openai.client``.
"""

import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar

from aiassistant.engines.base import AIEngine, Completion, ContextOverflow, Finish, Prompt, Usage
from aiassistant.engines.capabilities import Capabilities, Rung
from aiassistant.engines.extraction import NoObject, extract_object
from aiassistant.engines.openai.checking import check_steps
from aiassistant.engines.openai.errors import error_of
from aiassistant.engines.openai.options import AzureOpenAIOptions, CompatibleOptions, ModelOptions, OpenAIOptions
from aiassistant.engines.openai.wire import Said, Sent, chat_body, read_chat, read_responses, responses_body
from aiassistant.engines.tokens import estimate, estimate_messages
from core.engines import Step
from core.openai.client import Connection, Refused, loaded
from core.openai.refusals import Refusal, read_limits, read_refusal
from core.outbound import OutboundPolicy, check_url
from core.outcomes import EngineError, ErrorClass

MAX_ANSWER_BYTES = 4 * 1024 * 1024
# Servers refuse settings one at a time; each refusal is learned from once.
MOST_TRIES = 6
# A server that reports less than this part of what was expected has cut the prompt.
CUT_SHARE = 0.6
LEAST_FOR_CUT = 1000


class ChatEngine(AIEngine):
    """What all three have in common."""

    options: ModelOptions

    def __init__(self, options: Any, policy: OutboundPolicy, capabilities: Capabilities | None = None) -> None:
        super().__init__(options, policy, capabilities)
        key = getattr(options, "api_key", None)
        self._connection = Connection(
            policy,
            self._make_client,
            key="" if key is None else key.get_secret_value(),
            verify_tls=getattr(options, "ssl_verify", True),
            timeout_s=options.request_timeout_s,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )

    @property
    def concurrency(self) -> int:
        """The setting "Requests at a time"."""
        return self.options.concurrency

    @property
    def per_minute(self) -> tuple[int | None, int | None]:
        """The settings of the same names."""
        return self.options.requests_per_minute, self.options.tokens_per_minute

    @property
    def model(self) -> str:
        """The setting "Model"."""
        return self.options.model

    @property
    def window(self) -> int:
        """The smaller of what is set and what the server said."""
        return min(self.options.context_window, self.capabilities.max_context or self.options.context_window)

    @property
    def max_output_tokens(self) -> int:
        """The setting "Longest answer"."""
        return self.options.max_output_tokens

    @abstractmethod
    def _make_client(self, arguments: dict[str, Any]) -> Any:
        """The client of the SDK for this kind of server."""

    async def open(self) -> None:
        """Make the guarded session and the client on it."""
        await self._connection.open()

    async def close(self) -> None:
        """Close both."""
        await self._connection.close()

    async def complete(self, prompt: Prompt) -> Completion:
        """Ask, and learn from what the server does not know; see ``AIEngine.complete``."""
        for _try in range(MOST_TRIES):
            sent = self._sent(prompt)
            try:
                return self._completion(sent, *await self._send(sent))
            except Refused as refused:
                if refused.refusal.filtered:
                    return self._filtered(prompt, refused)
                if not self._learn(sent, refused.refusal):
                    raise self._known(error_of(refused.refusal)) from None
        raise EngineError(ErrorClass.CONFIG, "The server refuses one setting after the other.", code="refused_settings")

    def _sent(self, prompt: Prompt) -> Sent:
        temperature = self.options.temperature if prompt.temperature is None else prompt.temperature
        return Sent(
            prompt=prompt,
            model=self.options.model,
            rung=self._rung(),
            max_output_tokens=prompt.max_output_tokens or self.options.max_output_tokens,
            temperature=None if self.capabilities.temperature is False else temperature,
            capabilities=self.capabilities,
            reasoning="" if self.capabilities.reasoning is False else prompt.reasoning,
        )

    def _rung(self) -> Rung:
        chosen = self.options.structured
        if chosen == "auto":
            return self.capabilities.rung
        return chosen

    async def _send(self, sent: Sent) -> tuple[Said, Any, Any]:
        if self.options.api == "responses":
            call = self._connection.client.responses.with_raw_response.create(**responses_body(sent))
        else:
            call = self._connection.client.chat.completions.with_raw_response.create(**chat_body(sent))
        raw = await self.asked(call)
        data = loaded(raw.content)
        if isinstance(data, dict) and "error" in data and "choices" not in data and "output" not in data:
            # llama.cpp answers some refusals with status 200.
            code = data["error"].get("code") if isinstance(data["error"], dict) else None
            status = code if isinstance(code, int) and 400 <= code <= 599 else 400
            raise Refused(read_refusal(status, raw.content, raw.headers, self._connection.secrets), "")
        said = read_responses(data) if self.options.api == "responses" else read_chat(data)
        return said, data, raw.headers

    async def asked(self, call: Any) -> Any:
        """Await a call of the SDK; raises EngineError, or ``Refused`` for a status of 300 and above."""
        return await self._connection.asked(call)

    def _completion(self, sent: Sent, said: Said, data: Any, headers: Any) -> Completion:
        usage = said.usage
        expected = sent.prompt.expected_tokens or estimate_messages(sent.prompt.messages)
        self._look_for_cut(usage, expected)
        if usage.prompt <= 0 or (usage.completion <= 0 and said.text):
            self.capabilities = self.capabilities.learned(usage_reliable=False)
            usage = replace(
                usage,
                prompt=usage.prompt or expected,
                completion=usage.completion or round(estimate(said.text)),
                estimated=True,
            )
        values = None
        if sent.prompt.schema is not None and said.finish == Finish.STOP:
            try:
                values = extract_object(said.text)
            except NoObject:
                values = None
        return Completion(
            text=said.text,
            values=values,
            usage=usage,
            finish=said.finish,
            model=said.model or self.options.model,
            request_id=(headers.get("x-request-id") or said.answer_id)[:200],
            raw=data,
            limits=read_limits(headers),
            capabilities=self.capabilities,
        )

    def _look_for_cut(self, usage: Usage, expected: int) -> None:
        """Raise ContextOverflow when the server read only a part of the prompt (Ollama does so without a word)."""
        if usage.prompt <= 0 or expected < LEAST_FOR_CUT or usage.prompt >= CUT_SHARE * expected:
            return
        window = usage.prompt + usage.completion
        self.capabilities = self.capabilities.learned(max_context=max(window, 1))
        message = f"The server read {usage.prompt} tokens of a prompt of about {expected}: it cuts what is too long."
        raise ContextOverflow(message, window=window, usage=usage)

    def _filtered(self, prompt: Prompt, refused: Refused) -> Completion:
        """The filter of the provider read the prompt and refused it; nothing was counted."""
        return Completion(
            text="",
            values=None,
            usage=Usage(estimated=True),
            finish=Finish.FILTERED,
            model=self.options.model,
            request_id=refused.request_id,
            raw={"error": {"code": refused.refusal.code, "message": refused.refusal.message}},
            capabilities=self.capabilities,
        )

    def _learn(self, sent: Sent, refusal: Refusal) -> bool:
        """Leave out what the server does not know; False when the refusal is about something else."""
        learned: dict[str, Any] = {}
        if refusal.status not in {400, 404, 422} or refusal.overflows or refusal.bad_schema:
            return False
        if sent.temperature is not None and refusal.names("temperature"):
            learned["temperature"] = False
        elif sent.reasoning and refusal.names("reasoning_effort", "reasoning.effort", "'reasoning'", "`reasoning`"):
            learned["reasoning"] = False
        elif self.capabilities.max_completion_tokens is None and refusal.names("max_completion_tokens"):
            learned["max_completion_tokens"] = False
        elif sent.prompt.schema is not None and sent.rung != "text" and refusal.names(*_FORMAT_WORDS):
            if self.options.structured != "auto":
                return False
            learned[sent.rung] = False
        elif self.capabilities.system_role is None and refusal.names("system role", "role 'system'", "role: system"):
            learned["system_role"] = False
        self.capabilities = self.capabilities.learned(**learned)
        return bool(learned)

    def _known(self, error: EngineError) -> EngineError:
        if isinstance(error, ContextOverflow) and error.window is not None:
            self.capabilities = self.capabilities.learned(max_context=error.window)
        return error

    async def count_tokens(self, prompt: Prompt) -> int | None:
        """By the endpoint of Responses, where the server has it; None otherwise, and it is not asked again."""
        if self.capabilities.token_count_endpoint is not True:
            return None
        messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
        return await self.counted(messages)

    async def counted(self, messages: list[dict[str, str]]) -> int | None:
        """Ask the endpoint; what it refuses is None."""
        count_of = self._connection.client.responses.input_tokens.with_raw_response.count
        try:
            data = loaded((await self.asked(count_of(model=self.options.model, input=messages))).content)
        except (Refused, EngineError):
            return None
        count = data.get("input_tokens") if isinstance(data, dict) else None
        return count if isinstance(count, int) and count > 0 else None

    async def listed_models(self) -> list[str] | None:
        """The models that the server names, or None when it has no such list. Raises EngineError for a wrong key."""
        try:
            return await self._connection.listed_models()
        except Refused as refused:
            raise error_of(refused.refusal) from None

    async def check(self) -> AsyncIterator[Step]:
        """Settings and models, an answer, the ways to ask for JSON, the token counts."""
        clock = time.monotonic()
        async for key, status, progress, detail, text in check_steps(self):
            yield Step(key, status, progress, detail, round((time.monotonic() - clock) * 1000), text)
            if status != "running":
                clock = time.monotonic()


class OpenAIEngine(ChatEngine):
    """The vendor's service."""

    label = "OpenAI"
    options_type: ClassVar[type[OpenAIOptions]] = OpenAIOptions
    options: OpenAIOptions

    @classmethod
    def check_address(cls, options: OpenAIOptions, policy: OutboundPolicy) -> None:
        """Judge the address; raises AddressRefused for the field base_url."""
        check_url(options.base_url, policy, field="base_url")

    def _make_client(self, arguments: dict[str, Any]) -> Any:
        from openai import AsyncOpenAI

        return AsyncOpenAI(base_url=self.options.base_url, **arguments)


class CompatibleEngine(OpenAIEngine):
    """Servers that speak the same protocol, each with gaps of its own."""

    label = "OpenAI-compatible server"
    options_type = CompatibleOptions


class AzureOpenAIEngine(ChatEngine):
    """A resource of Azure: the v1 interface, or the classic one by deployments when an API version is set."""

    label = "Azure OpenAI"
    options_type = AzureOpenAIOptions
    options: AzureOpenAIOptions

    @classmethod
    def check_address(cls, options: AzureOpenAIOptions, policy: OutboundPolicy) -> None:
        """Judge the address; raises AddressRefused for the field endpoint."""
        check_url(options.endpoint, policy, field="endpoint")

    def _make_client(self, arguments: dict[str, Any]) -> Any:
        from openai import AsyncAzureOpenAI, AsyncOpenAI

        if not self.options.api_version:
            return AsyncOpenAI(base_url=f"{self.options.endpoint}/openai/v1", **arguments)
        return AsyncAzureOpenAI(azure_endpoint=self.options.endpoint, api_version=self.options.api_version, **arguments)


_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "text.format", "structured output")

"""The HTTP face: routes of the vendor, of Azure and of compatible servers, keys and rate limits."""

import asyncio
import hmac
import secrets
import time
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from emulators.middleware import noted
from emulators.openai import answering
from emulators.openai.asking import Ask, read_chat, read_responses
from emulators.openai.audio import transcribe
from emulators.openai.refusals import Refused, wrong_key
from emulators.openai.settings import Behaviours, Settings
from emulators.openai.tokens import count_messages
from emulators.serving import Stage
from emulators.working import hold

MAX_BODY_BYTES = 32 * 1024 * 1024
MINUTE_S = 60.0


class Rates:
    """Requests and tokens of the running minute."""

    def __init__(self) -> None:
        self._began, self._requests, self._tokens = time.monotonic(), 0, 0

    def spend(self, tokens: int, settings: Settings) -> dict[str, str]:
        """Count a request; the headers to answer with. Raises Refused when the minute has no more."""
        now = time.monotonic()
        if now - self._began >= MINUTE_S:
            self._began, self._requests, self._tokens = now, 0, 0
        left_s = MINUTE_S - (now - self._began)
        over = self._requests + 1 > settings.rpm or self._tokens + tokens > settings.tpm
        if not over:
            self._requests, self._tokens = self._requests + 1, self._tokens + tokens
        headers = {
            "x-ratelimit-limit-requests": str(settings.rpm),
            "x-ratelimit-remaining-requests": str(settings.rpm - self._requests),
            "x-ratelimit-reset-requests": f"{int(left_s * 1000)}ms",
            "x-ratelimit-limit-tokens": str(settings.tpm),
            "x-ratelimit-remaining-tokens": str(max(settings.tpm - self._tokens, 0)),
            "x-ratelimit-reset-tokens": f"{int(left_s // 60)}m{left_s % 60:.3f}s",
        }
        if over:
            text = "Rate limit reached for this model. Please try again later."
            hint = {**headers, "retry-after": str(max(int(left_s), 1))}
            raise Refused(429, text, kind="requests", code="rate_limit_exceeded", headers=hint)
        return headers


class Server:
    """All state of one server: settings, tricks, prompts that were seen, the bill."""

    def __init__(self, stage: Stage, settings: Settings, keys: tuple[str, ...]) -> None:
        self.stage, self.settings, self.keys = stage, settings, keys
        self.behaviours = Behaviours()
        self._rates = Rates()
        self._seen: set[str] = set()
        self.bill = {"requests": 0, "prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0}

    def application(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=MAX_BODY_BYTES)
        for root in ("/v1", "/openai/v1"):
            app.router.add_get(f"{root}/models", self._models)
            app.router.add_post(f"{root}/chat/completions", self._chat)
            app.router.add_post(f"{root}/responses", self._responses)
            app.router.add_post(f"{root}/responses/input_tokens", self._input_tokens)
            app.router.add_post(f"{root}/audio/transcriptions", self._transcribe)
        app.router.add_post("/openai/deployments/{deployment}/chat/completions", self._chat)
        app.router.add_post("/openai/responses", self._responses)
        app.router.add_get("/openai/models", self._models)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The key, errors in the vendor's shape, and the id of the request."""
        request_id = "req_" + secrets.token_hex(8)
        request["entry"].update(requestId=request_id, retry=request.headers.get("x-stainless-retry-count"))
        response = await self._answer(request, handler)
        response.headers["x-request-id"] = request_id
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.Response:
        try:
            self._authorise(request)
            response = await handler(request)
            assert isinstance(response, web.Response)
            return response
        except Refused as refused:
            request["entry"]["code"] = refused.code or refused.kind
            return refused.response(self.settings.flavour)
        except web.HTTPException as error:
            text = f"Invalid URL ({request.method} {request.path})"
            return Refused(error.status, text, kind="invalid_request_error").response(self.settings.flavour)

    def _authorise(self, request: web.Request) -> None:
        if not self.keys:
            return
        header = request.headers.get("Authorization", "").removeprefix("Bearer ")
        given = request.headers.get("api-key", header).encode("utf-8", "surrogateescape")
        if not any(hmac.compare_digest(given, key.encode()) for key in self.keys):
            raise wrong_key()

    async def _body(self, request: web.Request) -> Any:
        try:
            return orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            raise Refused(400, "We could not parse the JSON body of your request.") from None

    async def _models(self, request: web.Request) -> web.Response:
        if self.settings.flavour == "plain":
            raise web.HTTPNotFound
        names = [*self.settings.models, *self.settings.audio_models]
        rows = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in names]
        return web.json_response({"object": "list", "data": rows})

    async def _chat(self, request: web.Request) -> web.Response:
        deployment = request.match_info.get("deployment")
        if deployment is not None and not request.query.get("api-version"):
            raise Refused(404, "Resource not found", code="404")
        ask = read_chat(await self._body(request), self.settings, deployment)
        answer, headers = await self._think(request, ask)
        return web.json_response(answering.chat_shape(ask, answer, self.settings), headers=headers)

    async def _responses(self, request: web.Request) -> web.Response:
        if self.settings.flavour in {"plain", "ollama"}:
            raise web.HTTPNotFound
        ask = read_responses(await self._body(request), self.settings)
        answer, headers = await self._think(request, ask)
        return web.json_response(answering.responses_shape(ask, answer), headers=headers)

    async def _input_tokens(self, request: web.Request) -> web.Response:
        if self.settings.flavour in {"plain", "ollama", "vllm"}:
            raise web.HTTPNotFound
        ask = read_responses(await self._body(request), self.settings)
        return web.json_response({"object": "response.input_tokens", "input_tokens": count_messages(ask.messages)})

    async def _transcribe(self, request: web.Request) -> web.Response:
        if self.settings.flavour in {"ollama", "llamacpp"}:
            raise web.HTTPNotFound
        headers = self._rates.spend(0, self.settings)
        response = await transcribe(request, self.settings)
        await hold(request, self.stage.chaos)
        response.headers.update(headers)
        return response

    async def _think(self, request: web.Request, ask: Ask) -> tuple[answering.Answer, dict[str, str]]:
        entry = request["entry"]
        digest = answering.digest(ask)
        entry.update(
            model=ask.model_name, prompt=digest, rung=ask.rung, cap=ask.cap, dropped=ask.dropped, effort=ask.effort
        )
        headers = self._rates.spend(ask.prompt_tokens + ask.cap, self.settings)
        await asyncio.sleep(self.settings.delay_ms / 1000)
        text = "\n".join(message["content"] for message in ask.messages)
        trick = self.behaviours.take(text)
        if trick is not None:
            entry["trick"] = trick
        if trick == "filtered_prompt":
            inner = {"innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}}
            raise Refused(400, "The response was filtered.", code="content_filter", param="prompt", extra=inner)
        # A prompt that was seen before is cached by the vendor in steps of 128 tokens.
        cached = ask.prompt_tokens // 128 * 128 if digest in self._seen and ask.prompt_tokens >= 1024 else 0
        answer = answering.think(ask, self.settings, trick, cached)
        self._seen.add(digest)
        entry.update(promptTokens=ask.prompt_tokens, cachedTokens=cached, completionTokens=answer.completion_tokens)
        for name, amount in (
            ("requests", 1),
            ("prompt_tokens", ask.prompt_tokens),
            ("cached_tokens", cached),
            ("completion_tokens", max(answer.completion_tokens, 0)),
        ):
            self.bill[name] += amount
        return answer, headers

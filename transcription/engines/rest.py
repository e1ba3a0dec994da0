"""A provider over HTTP: one guarded session, one way to sign requests, and refusals as EngineErrors by their status."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError, field_validator

from core.outbound import OutboundPolicy, Response, guarded_session
from core.outcomes import EngineError, ErrorClass
from transcription.engines.options import SpeechOptions
from transcription.engines.wire import exchange, retry_after

Answer = TypeVar("Answer", bound=BaseModel)
MASK = "••••"
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
CLASSES = {
    400: ErrorClass.INPUT,
    401: ErrorClass.CONFIG,
    402: ErrorClass.CONFIG,
    403: ErrorClass.CONFIG,
    408: ErrorClass.TRANSIENT,
    409: ErrorClass.TRANSIENT,
    413: ErrorClass.INPUT,
    415: ErrorClass.INPUT,
    422: ErrorClass.INPUT,
    429: ErrorClass.RATE,
}
# (code, words) of a refusal's JSON; what is no text is left out.
Reader = Callable[[Mapping[str, Any]], tuple[Any, Any]]


class Rest:
    """Requests below ``base``, each with ``headers``. ``secrets`` never appear in an error."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        base: str,
        headers: Mapping[str, str],
        secrets: Collection[str],
        verify_tls: bool,
        timeout_s: float,
        reader: Reader,
    ) -> None:
        self._policy, self._base, self._headers = policy, base, dict(headers)
        self._secrets = [secret for secret in secrets if secret]
        self._verify_tls, self._timeout_s, self._reader = verify_tls, timeout_s, reader
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session, inside the event loop."""
        self._session = guarded_session(
            self._policy, verify_tls=self._verify_tls, total_timeout_s=self._timeout_s, user_agent="Parlance"
        )

    async def close(self) -> None:
        """Close it; twice is fine."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        missing: ErrorClass = ErrorClass.CONFIG,
        accept: Collection[int] = frozenset(),
        **options: Any,
    ) -> Response:
        """Send one request; any status of success, or one of ``accept``, is an answer.

        ``missing`` is what a 404 means: a lost job where one is asked for, else a wrong server. Raises EngineError.
        """
        assert self._session is not None, "open() comes first"
        headers = {**self._headers, **options.pop("headers", {})}
        response = await exchange(self._session, method, self._base + path, headers=headers, **options)
        if response.status // 100 == 2 or response.status in accept:
            return response
        raise self.refusal(response, missing)

    def refusal(self, response: Response, missing: ErrorClass) -> EngineError:
        """The error that an answer without success is; an SDK's answer, too. ``missing`` as in ``call``."""
        status = response.status
        otherwise = ErrorClass.TRANSIENT if status >= 500 else ErrorClass.CONFIG
        error_class = missing if status == 404 else CLASSES.get(status, otherwise)
        code, words = self._read(response.body)
        message = " ".join(part for part in (f"HTTP {status}", code, words) if part)
        return EngineError(error_class, message, code=code or str(status), retry_after=retry_after(response))

    def _read(self, body: bytes) -> tuple[str, str]:
        try:
            problem = orjson.loads(body)
        except orjson.JSONDecodeError:
            return "", ""
        code, words = self._reader(problem) if isinstance(problem, dict) else ("", "")
        return self.shown(code)[:100], self.shown(words)

    def shown(self, text: Any, longest: int = 400) -> str:
        """A text of the provider as people may see it: without secrets and addresses, not too long; else empty.

        An address of a recording is signed, which makes it as good as a key.
        """
        shown = _ADDRESS.sub("<address>", text) if isinstance(text, str) else ""
        for secret in self._secrets:
            shown = shown.replace(secret, MASK)
        return shown[:longest]


def parse(model: type[Answer], body: bytes) -> Answer:
    """An answer, judged. Raises EngineError for one that does not follow the provider's format; it is never quoted."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        message = "The server's answer does not follow the provider's format."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error


def plain_server(value: str) -> str:
    """A server without a path. Raises ValueError for paths, queries and credentials; for validators of options."""
    value = value.strip().rstrip("/")
    if value.count("/") > 2 or any(mark in value for mark in "?#@"):
        raise ValueError("Use PROTO://HOST:PORT without a path, a query or credentials.")
    return value


class ServerOptions(SpeechOptions):
    """Of a provider with one address, which the type declares as its field ``address``."""

    @classmethod
    def address_names(cls) -> list[str]:
        """The one address."""
        return ["address"]

    @field_validator("address", check_fields=False)
    @classmethod
    def _plain_address(cls, value: str) -> str:
        return plain_server(value)


class OverRest:
    """An engine all of whose requests go by one ``Rest``; stands before the base class."""

    _rest: Rest

    async def open(self) -> None:
        """Make the session, inside the event loop."""
        await self._rest.open()

    async def close(self) -> None:
        """Close it; twice is fine."""
        await self._rest.close()

"""One client of the vendor's SDK behind the outbound guard.

The SDK retries nothing: attempts and their cost are counted by the jobs. It is imported when a client is first opened.
"""

from collections.abc import Callable
from typing import Any

import aiohttp
import orjson

from core.openai.refusals import Refusal, read_refusal
from core.outbound import AddressRefused, OutboundPolicy, ResolveFailed, ResponseRefused, guarded_session
from core.outcomes import EngineError, ErrorClass
from core.unreached import unreached

# The SDK wants a key even for servers that ask for none.
NO_KEY = "none"
_TOLD = (AddressRefused, ResponseRefused, ResolveFailed, aiohttp.ClientError)


class Refused(Exception):
    """An answer of status 300 or above, before it is known what it means here."""

    def __init__(self, refusal: Refusal, request_id: str) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal
        self.request_id = request_id


class Connection:
    """A guarded session and the client on it. ``make`` gets the arguments of the SDK's client class."""

    def __init__(
        self,
        policy: OutboundPolicy,
        make: Callable[[dict[str, Any]], Any],
        *,
        key: str,
        verify_tls: bool,
        timeout_s: float,
        max_answer_bytes: int,
    ) -> None:
        self.secrets = [key] if key else []
        self._policy, self._make, self._verify_tls = policy, make, verify_tls
        self._timeout_s, self._max_answer_bytes = timeout_s, max_answer_bytes
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The client of the SDK."""
        assert self._client is not None, "open() comes first"
        return self._client

    async def open(self) -> None:
        """Make the session and the client."""
        import httpx2

        from core.outbound.transport import GuardedTransport

        self._session = guarded_session(
            self._policy, verify_tls=self._verify_tls, total_timeout_s=self._timeout_s, user_agent="Parlance"
        )
        transport = GuardedTransport(self._session, max_body_bytes=self._max_answer_bytes)
        http = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False)
        # Nothing may come from the environment of the process: not the key, the address or an organisation.
        arguments = {
            "api_key": next(iter(self.secrets), NO_KEY),
            "organization": "",
            "project": "",
            "max_retries": 0,
            "timeout": float(self._timeout_s),
            "http_client": http,
        }
        self._client = self._make(arguments)

    async def close(self) -> None:
        """Close both; twice is fine."""
        if self._client is not None:
            await self._client.close()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def asked(self, call: Any) -> Any:
        """Await a call of the SDK; raises EngineError, or ``Refused`` for a status of 300 and above."""
        import openai

        try:
            return await call
        except openai.APIStatusError as error:
            response = error.response
            headers, request_id = response.headers, response.headers.get("x-request-id", "")
            raise Refused(
                read_refusal(response.status_code, response.content, headers, self.secrets), request_id
            ) from None
        except (AddressRefused, ResponseRefused, ResolveFailed) as error:
            raise _unreached(error, self._timeout_s) from error
        except openai.APITimeoutError:
            raise unreached(TimeoutError(), self._timeout_s) from None
        except openai.APIConnectionError as error:
            raise _unreached(error, self._timeout_s) from error
        except openai.OpenAIError as error:
            # Its text may quote settings.
            message = f"The client refuses the settings ({type(error).__name__})."
            raise EngineError(ErrorClass.CONFIG, message, code="client") from None

    async def listed_models(self) -> list[str] | None:
        """The models that the server names, or None when it has no such list. Raises EngineError, or ``Refused``."""
        try:
            raw = await self.asked(self.client.models.with_raw_response.list())
        except Refused as refused:
            if refused.refusal.status in {404, 405, 501}:
                return None
            raise
        data = loaded(raw.content)
        rows = data.get("data") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            return None
        return [str(row.get("id", ""))[:200] for row in rows if isinstance(row, dict)]


def loaded(body: bytes) -> Any:
    """The JSON of an answer. Raises EngineError when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        message = "The server's answer is no JSON."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from None


def _unreached(error: BaseException, timeout_s: float) -> EngineError:
    """Why no answer came: what the guard or the network says, which may stand below exceptions of the SDK."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    cause = next((each for each in causes if isinstance(each, _TOLD)), causes[-1])
    return unreached(cause, timeout_s)

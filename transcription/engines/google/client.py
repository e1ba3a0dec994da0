"""The vendor's SDK behind our guard: its clients, their calls in threads, and what they raise as EngineErrors.

Keys of service accounts sign their own tokens here, so that no token endpoint named in a key is ever asked.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

import aiohttp

from core.outbound import OutboundPolicy, guarded_session, retry_after_s
from core.outcomes import EngineError, ErrorClass
from transcription.engines.google.answers import GRPC_CLASSES
from transcription.engines.google.options import GoogleOptions
from transcription.engines.wire import no_answer

Answer = TypeVar("Answer")
MAX_BODY_BYTES = 64 * 1024 * 1024
# Whatever the address of the endpoint is.
AUDIENCE = "https://speech.googleapis.com/"
STORAGE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
HTTP_CLASSES = {
    400: ErrorClass.INPUT,
    401: ErrorClass.CONFIG,
    403: ErrorClass.CONFIG,
    404: ErrorClass.LOST,
    408: ErrorClass.TRANSIENT,
    413: ErrorClass.INPUT,
    429: ErrorClass.RATE,
}


class Clients:
    """The clients of one engine; ``speech`` is the module of the API's version."""

    def __init__(self, options: GoogleOptions, policy: OutboundPolicy) -> None:
        self._options, self._policy = options, policy
        self._session: aiohttp.ClientSession | None = None
        self.speech: Any = None
        self.client: Any = None
        self.storage: Any = None
        # The options have judged it.
        self.key = json.loads(options.credentials.get_secret_value()) if options.credentials else {}

    async def open(self) -> None:
        """Make the session and, in a thread because their import is slow, the clients on it."""
        if not self.key:
            raise EngineError(ErrorClass.CONFIG, "The engine has no service account key.", code="no_key")
        self._session = guarded_session(
            self._policy,
            verify_tls=self._options.ssl_verify,
            total_timeout_s=self._options.request_timeout_s,
            user_agent="Parlance",
        )
        await asyncio.to_thread(self._make, asyncio.get_running_loop())

    async def close(self) -> None:
        """Close the session; twice is fine."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _make(self, loop: asyncio.AbstractEventLoop) -> None:
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud.storage import Client as StorageClient

        from core.outbound.requests_adapter import GuardedAdapter
        from transcription.engines.google.signing import SelfSigned

        assert self._session is not None
        adapter = GuardedAdapter(self._session, loop, max_body_bytes=MAX_BODY_BYTES)
        credentials = SelfSigned(self.key, audience=AUDIENCE)
        scheme, _, host = self._options.address.partition("://")
        self.speech = _speech(self._options.api_version)
        kind = self.speech.SpeechClient.get_transport_class("rest")
        transport = kind(credentials=credentials, host=host, url_scheme=scheme)
        # The transport takes no session of ours; its own must not reach the network past the guard.
        _guard(transport._session, adapter)
        self.client = self.speech.SpeechClient(transport=transport)
        scoped = SelfSigned(self.key, scope=STORAGE_SCOPE)
        http = AuthorizedSession(scoped)
        _guard(http, adapter)
        address = {"api_endpoint": self._options.storage_endpoint}
        self.storage = StorageClient(
            project=self.key["project_id"], credentials=scoped, _http=http, client_options=address
        )
        # Else a thread of its own, which nobody waits for, asks about the bucket: for traces that nobody reads.
        self.storage._bucket_metadata_cache = None

    async def asked(self, call: Callable[[], Answer]) -> Answer:
        """Run a call of the SDK in a thread. Raises EngineError and nothing else."""
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError
        from google.protobuf.json_format import ParseError

        try:
            with no_answer(self._options.request_timeout_s):
                return await asyncio.to_thread(call)
        except GoogleAPICallError as error:
            raise _refusal(error) from None
        except GoogleAuthError:
            raise EngineError(ErrorClass.CONFIG, "The service account key cannot sign.", code="key") from None
        except (ParseError, ValueError, TypeError, KeyError, RecursionError) as error:
            message = "The service's answer does not follow its format."
            raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error


def _speech(version: str) -> Any:
    if version == "v2":
        from google.cloud import speech_v2

        return speech_v2
    if version == "v1":
        from google.cloud import speech_v1

        return speech_v1
    from google.cloud import speech_v1p1beta1

    return speech_v1p1beta1


def _guard(session: Any, adapter: Any) -> None:
    session.trust_env = False
    session.mount("https://", adapter)
    session.mount("http://", adapter)


def _refusal(error: Any) -> EngineError:
    """Status, Google's own word for it and its text; refusals name no keys."""
    status = int(error.code) if error.code else 500
    reason = next((str(detail.reason) for detail in error.details if getattr(detail, "reason", "")), "")
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    otherwise = ErrorClass.TRANSIENT if status >= 500 else ErrorClass.CONFIG
    error_class = HTTP_CLASSES.get(status, otherwise)
    grpc = getattr(error, "grpc_status_code", None)
    if grpc is not None:
        error_class = GRPC_CLASSES.get(grpc.value[0], error_class)
    message = " ".join(part for part in (f"HTTP {status}", reason, _words(error.message)) if part)
    return EngineError(error_class, message, code=reason or str(status), retry_after=retry_after_s(headers))


def _words(message: Any) -> str:
    """What the service says, without the address that the SDK puts before it."""
    text = str(message or "")
    found = text.partition(": ")[2] if "://" in text.partition(": ")[0] else text
    return found[:400]

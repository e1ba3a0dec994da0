"""Where batch transcription takes recordings from: blobs of the customer's account, by the vendor's SDK (providers §2.1)."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import aiohttp

from core.outbound import OutboundPolicy, Response, guarded_session
from core.outcomes import EngineError, ErrorClass
from transcription.engines.azure.options import AzureOptions
from transcription.engines.base import AudioSource
from transcription.engines.rest import Rest
from transcription.engines.wire import no_answer, pieces

Answer = TypeVar("Answer")
BLOCK_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
# A job may begin half an hour late and run for a day (providers §2.1).
SAS_HOURS = 48


class Storage:
    """One container. Nothing is repeated: attempts are counted by the jobs."""

    def __init__(self, options: AzureOptions, policy: OutboundPolicy, rest: Rest) -> None:
        self._options, self._policy, self._rest = options, policy, rest
        self._session: aiohttp.ClientSession | None = None
        self._container: Any = None

    async def open(self) -> None:
        """Make the session and, in a thread because the import is slow, the client on it; without a key nothing."""
        if not (self._options.storage_account and self._options.storage_key):
            return
        self._session = guarded_session(
            self._policy,
            verify_tls=self._options.ssl_verify,
            total_timeout_s=self._options.request_timeout_s,
            user_agent="Parlance",
        )
        self._container = await asyncio.to_thread(self._make, self._session)

    async def close(self) -> None:
        """Close the session; twice is fine."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _make(self, session: aiohttp.ClientSession) -> Any:
        from azure.storage.blob.aio import BlobServiceClient

        from core.outbound.azure_transport import GuardedAzureTransport

        service = BlobServiceClient(
            self._options.storage_address,
            credential={"account_name": self._options.storage_account, "account_key": self._key},
            transport=GuardedAzureTransport(session, max_body_bytes=MAX_ANSWER_BYTES),
            retry_total=0,
            max_single_put_size=BLOCK_BYTES,
            max_block_size=BLOCK_BYTES,
        )
        return service.get_container_client(self._options.storage_container)

    @property
    def _key(self) -> str:
        return self._options.storage_key.get_secret_value() if self._options.storage_key else ""

    async def greet(self) -> None:
        """Raises EngineError unless the key may use the container."""
        await self._asked(self._container.get_container_properties())

    async def upload(self, name: str, audio: AudioSource) -> str:
        """Stream a recording into a blob, over an older one; the address that the service may read it by."""
        from azure.storage.blob import BlobSasPermissions, ContentSettings, generate_blob_sas

        blob = self._container.get_blob_client(name)
        kind = ContentSettings(content_type=audio.mime)
        await self._asked(
            blob.upload_blob(pieces(audio), length=audio.size, overwrite=True, content_settings=kind, max_concurrency=1)
        )
        address = str(blob.url)
        signature = generate_blob_sas(
            account_name=self._options.storage_account,
            container_name=self._options.storage_container,
            blob_name=name,
            account_key=self._key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(hours=SAS_HOURS),
            protocol="https" if address.startswith("https:") else None,
        )
        return f"{address}?{signature}"

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is fine."""
        from azure.core.exceptions import ResourceNotFoundError

        if self._container is None:
            return

        async def gone() -> None:
            try:
                await self._container.delete_blob(name)
            except ResourceNotFoundError as error:
                response: Any = error.response
                if response is None or response.headers.get("x-ms-error-code") != "BlobNotFound":
                    raise

        await self._asked(gone())

    async def _asked(self, call: Awaitable[Answer]) -> Answer:
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            with no_answer(self._options.request_timeout_s):
                return await call
        except HttpResponseError as error:
            raise self._refusal(error) from None
        except AzureError as error:
            # Its text may quote settings.
            message = f"The storage account's settings are refused ({type(error).__name__})."
            raise EngineError(ErrorClass.CONFIG, message, code="storage") from None

    def _refusal(self, error: Any) -> EngineError:
        response = error.response
        if response is None or response.status_code // 100 == 2:
            return EngineError(ErrorClass.OUTPUT, "The storage's answer is no answer.", code="invalid_answer")
        refused = self._rest.refusal(Response(response.status_code, response.headers, b""), ErrorClass.CONFIG)
        code = str(response.headers.get("x-ms-error-code", ""))[:100]
        # The service judges recordings; what storage refuses is a setting.
        found = ErrorClass.CONFIG if refused.error_class == ErrorClass.INPUT else refused.error_class
        message = " ".join(part for part in ("Storage:", refused.message, code) if part)
        return EngineError(found, message, code=code or refused.code, retry_after=refused.retry_after)

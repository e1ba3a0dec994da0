"""The service's REST face, judged as the vendor judges it; words come from the audio."""

import asyncio
import hmac
from typing import Annotated, Any

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ConfigDict, Field

from emulators.azure.batch import Batch
from emulators.azure.fast import LOCALES, definition_of, transcribed
from emulators.azure.problems import Refused, no_access
from emulators.azure.storage import Storage, StorageRefused
from emulators.azure.usp import PATH, talk
from emulators.middleware import noted
from emulators.serving import Stage
from emulators.working import hold

MAX_BODY_BYTES = 1200 * 1024 * 1024
VERSIONS = {"2024-11-15", "2025-10-15"}
BASE = "/speechtotext"


class Settings(BaseModel):
    """``delay_ms`` is waited before every answer of fast transcription; ``stt_s``: seconds that a job takes."""

    model_config = ConfigDict(extra="forbid")
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    stt_s: Annotated[float, Field(ge=0, le=3600)] = 0.2


class Server:
    """One resource with one key, and one storage account beside it on the same address."""

    def __init__(self, stage: Stage, key: str, storage: Storage) -> None:
        self.stage, self.key, self.settings = stage, key, Settings()
        self.storage, self.batch = storage, Batch(storage, stage.chaos)

    def application(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=MAX_BODY_BYTES)
        app.router.add_get(f"{BASE}/transcriptions/locales", self._locales)
        app.router.add_post(f"{BASE}/transcriptions:transcribe", self._transcribe)
        self.batch.routes(app, BASE)
        self.storage.routes(app)
        app.router.add_get(PATH, talk)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if request.path.startswith(BASE):
                self._admit(request)
            if request.path.startswith("/speech/"):
                self._know_key(request)
            self.batch.stt_s = self.settings.stt_s
            response: web.StreamResponse = await handler(request)
            return response
        except PermissionError:
            return no_access()
        except (Refused, StorageRefused) as refused:
            return refused.response()
        except web.HTTPNotFound:
            return web.json_response({"error": {"code": "404", "message": "Resource not found"}}, status=404)

    def _know_key(self, request: web.Request) -> None:
        given = request.headers.get("Ocp-Apim-Subscription-Key", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.key.encode()):
            raise PermissionError

    def _admit(self, request: web.Request) -> None:
        self._know_key(request)
        if request.query.get("api-version") not in VERSIONS:
            raise Refused("InvalidRequest", "The api-version is missing or not supported.", "InvalidApiVersion")

    async def _locales(self, request: web.Request) -> web.Response:
        return web.json_response({"Submit": LOCALES, "Transcribe": LOCALES})

    async def _transcribe(self, request: web.Request) -> web.Response:
        if not request.content_type.startswith("multipart/form-data"):
            raise Refused("UnsupportedMediaType", "The request is not multipart/form-data.")
        # The service takes no request without a length.
        if request.content_length is None:
            raise Refused("InvalidRequest", "The request has no Content-Length.")
        parts: dict[str, bytes] = {}
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name:
                parts[part.name] = bytes(await part.read())
        if not parts.get("audio"):
            raise Refused("InvalidArgument", "The audio is missing or empty.", "EmptyAudioFile")
        asked = definition_of(parts.get("definition", b"{}").decode())
        heard, answer = await asyncio.to_thread(transcribed, asked, parts["audio"])
        definition = asked.model_dump(exclude_unset=True)
        request["entry"].update(
            bytes=len(parts["audio"]), audioMs=heard.duration_ms, text=heard.text, definition=definition
        )
        await asyncio.sleep(self.settings.delay_ms / 1000)
        await hold(request, self.stage.chaos)
        return web.json_response(answer)

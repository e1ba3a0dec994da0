"""The REST face of the service in three versions, with operations, and storage beside it on the same address."""

import asyncio
import base64
import binascii
import itertools
import secrets
import time
from dataclasses import dataclass
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulators.google.hearing import Wish
from emulators.google.keys import PROJECT, Account
from emulators.google.problems import Refused
from emulators.google.storage import Storage
from emulators.hearing import Recording
from emulators.middleware import noted
from emulators.recogniser import Unheard
from emulators.serving import Stage
from emulators.working import Work, begin, hold

MAX_BODY_BYTES = 600 * 1024 * 1024
TYPES = "type.googleapis.com/google.cloud.speech"


class Settings(BaseModel):
    """``stt_s``: seconds that an operation takes; ``spoken`` is found where a request gives it to choose from."""

    model_config = ConfigDict(extra="forbid")
    stt_s: Annotated[float, Field(ge=0, le=3600)] = 0.2
    spoken: str = "en"


@dataclass
class Operation:
    """One long-running recognition."""

    name: str
    version: str
    uri: str
    begun: float
    takes_s: float
    work: Work[tuple[Recording, list[dict[str, Any]]]]

    def shown(self) -> dict[str, Any]:
        """As its version writes it."""
        kind = "OperationMetadata" if self.version == "v2" else "LongRunningRecognizeMetadata"
        share = min((time.monotonic() - self.begun) / max(self.takes_s, 0.001), 1.0 if self.work.over else 0.99)
        metadata = {"@type": f"{TYPES}.{self.version}.{kind}", "progressPercent": int(share * 100)}
        said: dict[str, Any] = {"name": self.name, "metadata": metadata}
        if share < 1.0:
            return said
        try:
            _heard, results = self.work.outcome()
        except Refused as refused:
            return {**said, "done": True, "error": {"code": refused.grpc, "message": refused.message}}
        except Unheard as error:
            return {**said, "done": True, "error": {"code": 14, "message": str(error)}}
        answer = self._answer({"results": results} if results else {})
        kind = "BatchRecognizeResponse" if self.version == "v2" else "LongRunningRecognizeResponse"
        return {**said, "done": True, "response": {"@type": f"{TYPES}.{self.version}.{kind}", **answer}}

    def _answer(self, transcript: dict[str, Any]) -> dict[str, Any]:
        """v2 answers by file."""
        if self.version != "v2":
            return transcript
        return {"results": {self.uri: {"inlineResult": {"transcript": transcript}, "uri": self.uri}}}


class Server:
    """One account, its buckets and its operations, in memory."""

    def __init__(self, stage: Stage, account: Account, buckets: set[str]) -> None:
        self.stage, self.account, self.settings = stage, account, Settings()
        self.storage = Storage(buckets)
        self.operations: dict[str, Operation] = {}
        self._numbers = itertools.count(7_781_234_567_890_000_000)

    def application(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=MAX_BODY_BYTES)
        for version in ("v1", "v1p1beta1"):
            app.router.add_post(f"/{version}/speech:recognize", self._recognize)
            app.router.add_post(f"/{version}/speech:longrunningrecognize", self._begin)
            app.router.add_get(f"/{version}/operations/{{name}}", self._read)
        app.router.add_post("/v2/{recognizer:projects/.+}:recognize", self._recognize)
        app.router.add_post("/v2/{recognizer:projects/.+}:batchRecognize", self._begin)
        app.router.add_get("/v2/{name:projects/.+/operations/.+}", self._read)
        app.router.add_delete("/v2/{name:projects/.+/operations/.+}", self._delete)
        self.storage.routes(app)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            header, storage = request.headers.get("Authorization", ""), "/storage/v1/" in request.path
            # An upload that goes on is known by its address.
            if request.method != "PUT" and not self.account.accepts(header, storage=storage):
                raise Refused("UNAUTHENTICATED", "Request had invalid authentication credentials.")
            response: web.StreamResponse = await handler(request)
            return response
        except Refused as refused:
            return refused.response()
        except web.HTTPNotFound:
            return web.Response(status=404, text="<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>")

    def _wish(self, request: web.Request, body: dict[str, Any]) -> Wish:
        recognizer = request.match_info.get("recognizer", f"projects/{PROJECT}/")
        if not recognizer.startswith(f"projects/{PROJECT}/"):
            raise Refused("PERMISSION_DENIED", "Permission denied on resource project.")
        return Wish(_version(request), body.get("config", {}), self.settings.spoken)

    async def _recognize(self, request: web.Request) -> web.Response:
        body = await request.json()
        wish = self._wish(request, body)
        given = body.get("content") if wish.v2 else body.get("audio", {}).get("content")
        try:
            content = base64.b64decode(given or "", validate=True)
        except (binascii.Error, ValueError):
            raise Refused("INVALID_ARGUMENT", "RecognitionAudio not set.") from None
        heard, results = await asyncio.to_thread(wish.results, content, inline=True)
        request["entry"].update(
            bytes=len(content), audioMs=heard.duration_ms, text=heard.text, languages=wish.languages
        )
        await hold(request, self.stage.chaos)
        answer: dict[str, Any] = {"results": results} if results else {}
        return web.json_response(answer if wish.v2 else {**answer, "requestId": "8888888888888888888"})

    async def _begin(self, request: web.Request) -> web.Response:
        body = await request.json()
        wish = self._wish(request, body)
        files = body.get("files", [{}])
        uri = files[0].get("uri", "") if wish.v2 else body.get("audio", {}).get("uri", "")
        if not uri.startswith("gs://"):
            raise Refused("INVALID_ARGUMENT", "Inline audio exceeds duration limit. Please use a GCS URI.")
        number = str(next(self._numbers))
        name = f"projects/{PROJECT}/locations/global/operations/{secrets.token_hex(8)}" if wish.v2 else number

        def recognise() -> tuple[Recording, list[dict[str, Any]]]:
            heard, results = wish.results(self.storage.read(uri), inline=False)
            request["entry"].update(audioMs=heard.duration_ms, text=heard.text, languages=wish.languages)
            return heard, results

        work = await begin(request, self.stage.chaos, recognise)
        self.operations[name] = Operation(name, _version(request), uri, time.monotonic(), self.settings.stt_s, work)
        request["entry"]["operation"] = name
        return web.json_response({"name": name})

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self._known(request).shown())

    async def _delete(self, request: web.Request) -> web.Response:
        del self.operations[self._known(request).name]
        return web.json_response({})

    def _known(self, request: web.Request) -> Operation:
        made = self.operations.get(request.match_info["name"])
        if made is None or made.version != _version(request):
            raise Refused("NOT_FOUND", "Requested entity was not found.")
        return made


def _version(request: web.Request) -> str:
    return request.path.split("/")[1]

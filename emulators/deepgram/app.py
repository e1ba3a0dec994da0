"""``POST /v1/listen`` and ``GET /v1/projects``, judged as the vendor judges them; words come from the audio."""

import asyncio
import hmac
import secrets
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulators.hearing import AudioError, Recording, hear, sentence
from emulators.middleware import noted
from emulators.serving import Stage
from emulators.working import hold
from speechserver.recognisers.base import Segment

LARGEST_BYTES = 2 * 1024 * 1024 * 1024
LANGUAGES = {"en", "he", "de", "fr", "es", "it", "pt", "nl", "hi", "ja", "ru", "ar", "multi"}
MODELS = {"nova-3", "nova-2", "nova-2-phonecall", "base"}
FLAGS = ("punctuate", "smart_format", "multichannel", "diarize", "utterances")
KNOWN = {*FLAGS, "model", "language", "detect_language", "tag"}


class Settings(BaseModel):
    """``delay_ms`` is waited before every transcript; ``spoken`` is what detection finds in every recording."""

    model_config = ConfigDict(extra="forbid")
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    spoken: str = "en"


class Refused(Exception):
    """A request that is answered with the vendor's error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Server:
    """One key, no memory: an upload is answered and forgotten."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage, self.key, self.settings = stage, key, Settings()

    def application(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=LARGEST_BYTES)
        app.router.add_get("/v1/projects", self._projects)
        app.router.add_post("/v1/listen", self._listen)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Token {self.key}".encode()):
                raise Refused(401, "INVALID_AUTH", "Invalid credentials.")
            response: web.StreamResponse = await handler(request)
            return response
        except Refused as refused:
            body = {"err_code": refused.code, "err_msg": refused.message, "request_id": secrets.token_hex(16)}
            return web.json_response(body, status=refused.status)

    async def _projects(self, request: web.Request) -> web.Response:
        return web.json_response({"projects": [{"project_id": "11111111-1111-4111-8111-111111111111", "name": "test"}]})

    async def _listen(self, request: web.Request) -> web.Response:
        flags = _flags(request)
        content = await request.read()
        try:
            heard = await asyncio.to_thread(hear, content, mix=not flags["multichannel"])
        except AudioError:
            text = "Bad Request: failed to process audio: corrupt or unsupported data"
            raise Refused(400, "Bad Request", text) from None
        request["entry"].update(bytes=len(content), audioMs=heard.duration_ms, text=heard.text)
        await asyncio.sleep(self.settings.delay_ms / 1000)
        await hold(request, self.stage.chaos)
        return web.json_response(_answer(heard, flags, _detected(request, self.settings.spoken)))


def _flags(request: web.Request) -> dict[str, bool]:
    query = request.query
    if unknown := set(query) - KNOWN:
        raise Refused(400, "INVALID_QUERY_PARAMETER", f"Unknown parameter: {sorted(unknown)[0]}")
    if query.get("model", "base") not in MODELS:
        raise Refused(403, "INSUFFICIENT_PERMISSIONS", "Project does not have access to the requested model.")
    if query.get("language", "en").partition("-")[0] not in LANGUAGES:
        raise Refused(400, "Bad Request", "Bad Request: No such model/language/tier combination found.")
    for name in FLAGS:
        if query.get(name, "false") not in {"true", "false"}:
            raise Refused(400, "INVALID_QUERY_PARAMETER", f"{name} must be true or false")
    return {name: query.get(name) == "true" for name in FLAGS}


def _detected(request: web.Request, spoken: str) -> dict[str, Any]:
    """What is said of each channel where detection is on: ``true``, or the languages that it is held to."""
    asked = request.query.getall("detect_language", [])
    if not asked or asked == ["false"]:
        return {}
    if "language" in request.query:
        raise Refused(400, "Bad Request", "Bad Request: language and detect_language exclude each other.")
    named = [tag for tag in asked if tag != "true"]
    if not set(named) <= LANGUAGES:
        raise Refused(400, "Bad Request", "Bad Request: unsupported detect_language.")
    found = spoken if not named or spoken in named else named[0]
    return {"detected_language": found, "language_confidence": 0.97}


def _answer(heard: Recording, flags: dict[str, bool], detected: dict[str, Any]) -> dict[str, Any]:
    channels = [
        {
            "alternatives": [{"transcript": " ".join(map(sentence, segments)), "confidence": 0.98, "words": words}],
            **detected,
        }
        for number, segments in enumerate(heard.channels)
        for words in [[word for segment in segments for word in _words(segment, flags)]]
    ]
    turns = [
        (segment, number, position % 2)
        for number, segments in enumerate(heard.channels)
        for position, segment in enumerate(segments)
    ]
    results: dict[str, Any] = {"channels": channels}
    if flags["utterances"]:
        turns.sort(key=lambda turn: turn[0].words[0].start_ms)
        results["utterances"] = [_utterance(*turn, flags) for turn in turns]
    metadata = {"request_id": secrets.token_hex(16), "duration": heard.duration_ms / 1000}
    return {"metadata": {**metadata, "channels": len(heard.channels)}, "results": results}


def _utterance(segment: Segment, channel: int, speaker: int, flags: dict[str, bool]) -> dict[str, Any]:
    text = sentence(segment)
    said: dict[str, Any] = {
        "id": secrets.token_hex(16),
        "start": segment.words[0].start_ms / 1000,
        "end": segment.words[-1].end_ms / 1000,
        "confidence": 0.98,
        "channel": channel,
        "transcript": text if flags["punctuate"] else text.lower().rstrip("."),
        "words": _words(segment, flags),
    }
    return {**said, "speaker": speaker} if flags["diarize"] else said


def _words(segment: Segment, flags: dict[str, bool]) -> list[dict[str, Any]]:
    written = sentence(segment).split(" ")
    words = []
    for word, shown in zip(segment.words, written, strict=True):
        said: dict[str, Any] = {"word": word.text.lower(), "start": word.start_ms / 1000, "end": word.end_ms / 1000}
        said["confidence"] = word.confidence
        words.append({**said, "punctuated_word": shown} if flags["punctuate"] else said)
    return words

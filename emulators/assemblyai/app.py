"""Uploads, jobs and their transcripts, judged as the vendor judges them; words come from the audio."""

import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulators.hearing import Recording, sentence
from emulators.middleware import noted
from emulators.serving import Stage
from emulators.working import Listening, listen

LARGEST_BYTES = 2 * 1024 * 1024 * 1024
LANGUAGES = {"en", "en_us", "en_uk", "en_au", "he", "de", "fr", "es", "it", "pt", "nl", "hi", "ja", "ru", "ar"}
MODELS = {"universal", "universal-2", "slam-1", "nano"}
KNOWN = {
    "audio_url",
    "speech_models",
    "language_code",
    "language_detection",
    "language_detection_options",
    "punctuate",
    "format_text",
    "multichannel",
    "speaker_labels",
    "webhook_url",
}
GONE = "http://deleted_by_user"


class Settings(BaseModel):
    """``stt_s``: seconds that a job is processed; ``spoken`` is what detection finds in every recording."""

    model_config = ConfigDict(extra="forbid")
    stt_s: Annotated[float, Field(ge=0, le=3600)] = 0.2
    spoken: str = "en"


class Refused(Exception):
    """A request that is answered with the vendor's error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Job:
    """A job and the recording that it listens to."""

    asked: dict[str, Any]
    work: Listening
    done_at: float
    deleted: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(16))


class Server:
    """One key, its uploads and its jobs, in memory."""

    def __init__(self, stage: Stage, key: str) -> None:
        self.stage, self.key, self.settings = stage, key, Settings()
        self.uploads: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}

    def application(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[noted(self.stage), self._judged], client_max_size=LARGEST_BYTES)
        app.router.add_post("/v2/upload", self._upload)
        app.router.add_get("/v2/transcript", self._list)
        app.router.add_post("/v2/transcript", self._create)
        app.router.add_get("/v2/transcript/{id}", self._read)
        app.router.add_delete("/v2/transcript/{id}", self._delete)
        return app

    @web.middleware
    async def _judged(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, self.key.encode()):
                raise Refused(401, "Authentication error, API token missing/invalid")
            response: web.StreamResponse = await handler(request)
            return response
        except Refused as refused:
            return web.json_response({"error": refused.message}, status=refused.status)

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        if not content:
            raise Refused(422, "Upload failed, please try again. The file is empty.")
        name = secrets.token_hex(16)
        self.uploads[name] = content
        request["entry"]["bytes"] = len(content)
        return web.json_response({"upload_url": f"https://cdn.assemblyai.test/upload/{name}"})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        content = self._judge(asked)
        work = await listen(request, self.stage.chaos, content, mix=not asked.get("multichannel"))
        job = Job(asked, work, time.monotonic() + self.settings.stt_s)
        self.jobs[job.id] = job
        request["entry"].update(job=job.id, asked=asked, text=work.heard.text if work.heard else None)
        return web.json_response(self._shown(job))

    def _judge(self, asked: dict[str, Any]) -> bytes:
        if unknown := set(asked) - KNOWN:
            raise Refused(400, f"Invalid endpoint schema, unknown field: {sorted(unknown)[0]}")
        content = self.uploads.get(str(asked.get("audio_url", "")).rpartition("/")[2])
        if content is None:
            raise Refused(400, "audio_url is not a file that was uploaded with this token")
        if not set(asked.get("speech_models", ["universal"])) <= MODELS:
            raise Refused(400, "speech_models: unknown model")
        if asked.get("language_code", "en_us") not in LANGUAGES:
            raise Refused(400, f"language_code: {asked['language_code']} is not supported")
        self._judge_detection(asked)
        if asked.get("multichannel") and asked.get("speaker_labels"):
            raise Refused(400, "multichannel and speaker_labels cannot be used together with these models")
        return content

    @staticmethod
    def _judge_detection(asked: dict[str, Any]) -> None:
        options = asked.get("language_detection_options", {})
        if asked.get("language_detection") and "language_code" in asked:
            raise Refused(400, "language_code and language_detection cannot be used together")
        if options and not asked.get("language_detection"):
            raise Refused(400, "language_detection_options needs language_detection")
        if set(options) - {"expected_languages", "fallback_language"}:
            raise Refused(400, "language_detection_options: unknown field")
        if not set(options.get("expected_languages", [])) <= LANGUAGES:
            raise Refused(400, "expected_languages: not supported")

    def _language(self, asked: dict[str, Any]) -> str:
        if not asked.get("language_detection"):
            return str(asked.get("language_code", "en_us"))
        expected = asked.get("language_detection_options", {}).get("expected_languages", [])
        matching = [tag for tag in expected if tag.partition("_")[0] == self.settings.spoken]
        return str([*matching, *expected, self.settings.spoken][0])

    async def _list(self, request: web.Request) -> web.Response:
        rows = [{"id": job.id, "status": self._status(job)} for job in self.jobs.values() if not job.deleted]
        return web.json_response({"page_details": {}, "transcripts": rows[: int(request.query.get("limit", 10))]})

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self._shown(self._job(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        job = self._job(request)
        job.deleted = True
        self.uploads.pop(str(job.asked["audio_url"]).rpartition("/")[2], None)
        return web.json_response(self._shown(job))

    def _job(self, request: web.Request) -> Job:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            raise Refused(404, "Transcript lookup error, transcript id not found")
        return job

    def _status(self, job: Job) -> str:
        if time.monotonic() < job.done_at or not job.work.over:
            return "processing"
        return "error" if job.work.heard is None else "completed"

    def _shown(self, job: Job) -> dict[str, Any]:
        status = self._status(job)
        shown: dict[str, Any] = {"id": job.id, "status": status, "audio_url": job.asked["audio_url"], "error": None}
        if job.deleted:
            return {**shown, "audio_url": GONE, "text": "Deleted by user."}
        if status == "error":
            shown["error"] = "Transcoding failed. File does not appear to contain audio."
        if status == "completed" and job.work.heard is not None:
            shown |= _transcript(job.work.heard, job.asked) | {"language_code": self._language(job.asked)}
        return shown


def _transcript(heard: Recording, asked: dict[str, Any]) -> dict[str, Any]:
    utterances: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    for number, segments in enumerate(heard.channels):
        for place, segment in enumerate(segments):
            name = str(number + 1) if asked.get("multichannel") else None
            speaker = name or ("AB"[place % 2] if asked.get("speaker_labels") else None)
            written = sentence(segment).split(" ") if asked.get("punctuate", True) else [w.text for w in segment.words]
            said = [
                {"text": text, "start": w.start_ms, "end": w.end_ms, "confidence": w.confidence, "speaker": speaker}
                for text, w in zip(written, segment.words, strict=True)
            ]
            words += [{**word, "channel": name} if name else word for word in said]
            turn = {"start": said[0]["start"], "end": said[-1]["end"], "text": " ".join(written), "words": said}
            utterances.append({**turn, "confidence": 0.97, "channel": name, "speaker": speaker})
    utterances.sort(key=lambda turn: turn["start"])
    told = asked.get("multichannel") or asked.get("speaker_labels")
    return {
        "text": " ".join(turn["text"] for turn in utterances),
        "words": sorted(words, key=lambda word: word["start"]),
        "utterances": utterances if told else None,
        "audio_duration": heard.duration_ms / 1000,
    }

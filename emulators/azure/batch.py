"""Jobs of batch transcription: submitted, listed, read and deleted as the vendor does it (providers §2.2)."""

import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import aiohttp
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emulators.azure.fast import LOCALES, Diarization, Profanity
from emulators.azure.problems import Refused
from emulators.azure.storage import Storage
from emulators.chaos import Chaos
from emulators.hearing import AudioError, Recording, hear, sentence
from emulators.recogniser import Unheard
from emulators.working import Work, begin
from speechserver.recognisers.base import Segment

API = "2024-11-15"
FETCH_TIMEOUT = aiohttp.ClientTimeout(total=60)
TERM = re.compile(r"displayName eq '((?:[^']|'')*)'")


class Identification(BaseModel):
    """Which language is spoken."""

    model_config = ConfigDict(extra="forbid")
    mode: Literal["Continuous", "Single"] = "Continuous"
    candidateLocales: Annotated[list[str], Field(min_length=2, max_length=10)]


class Properties(BaseModel):
    """How a job works."""

    model_config = ConfigDict(extra="forbid")
    timeToLiveHours: Annotated[int, Field(ge=6, le=744)]
    wordLevelTimestampsEnabled: bool = False
    displayFormWordLevelTimestampsEnabled: bool = False
    channels: list[int] = [0, 1]
    punctuationMode: Literal["None", "Dictated", "Automatic", "DictatedAndAutomatic"] = "DictatedAndAutomatic"
    profanityFilterMode: Profanity = "Masked"
    diarization: Diarization | None = None
    languageIdentification: Identification | None = None


class Wish(BaseModel):
    """What is submitted."""

    model_config = ConfigDict(extra="forbid")
    contentUrls: Annotated[list[str], Field(min_length=1, max_length=1000)]
    locale: str
    displayName: Annotated[str, Field(min_length=1, max_length=256)]
    properties: Properties
    customProperties: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]], Field(max_length=10)
    ] = {}

    @model_validator(mode="after")
    def _locales(self) -> "Wish":
        identified = self.properties.languageIdentification
        for locale in [self.locale, *(identified.candidateLocales if identified else [])]:
            if locale not in LOCALES:
                raise Refused("InvalidRequest", f"The specified locale is not supported: {locale}.", "InvalidLocale")
        return self


@dataclass
class Job:
    """One job; ``problem`` is why its one recording failed."""

    wish: Wish
    done_at: float
    heard: Recording | None = None
    problem: tuple[str, str] | None = None
    work: Work[None] | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def over(self) -> bool:
        """Whether it may show what came of it."""
        return time.monotonic() >= self.done_at and self.work is not None and self.work.over


class Batch:
    """Jobs in memory; results are read by addresses that nobody can guess."""

    def __init__(self, storage: Storage, chaos: Chaos) -> None:
        self.storage, self.chaos, self.stt_s = storage, chaos, 0.2
        self.jobs: dict[str, Job] = {}

    def routes(self, app: web.Application, base: str) -> None:
        """Add the routes below ``base``; results lie outside, where no key is asked for."""
        app.router.add_post(f"{base}/transcriptions:submit", self._submit)
        app.router.add_get(f"{base}/transcriptions", self._list)
        app.router.add_get(f"{base}/transcriptions/{{id}}", self._read)
        app.router.add_get(f"{base}/transcriptions/{{id}}/files", self._files)
        app.router.add_delete(f"{base}/transcriptions/{{id}}", self._delete)
        app.router.add_get("/results/{id}/{name}", self._content)

    async def _submit(self, request: web.Request) -> web.Response:
        try:
            wish = Wish.model_validate_json(await request.read())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Refused(
                "InvalidRequest", f"The request is invalid: {where}: {first['msg']}", "InvalidPayload"
            ) from None
        job = Job(wish, time.monotonic() + self.stt_s)
        content = await self._fetched(wish.contentUrls[0])
        job.work = await begin(request, self.chaos, lambda: self._recognise(job, content))
        self.jobs[job.id] = job
        # The address of a recording is as good as a key: it is never written down.
        request["entry"]["wish"] = wish.model_dump(exclude={"contentUrls"}, exclude_unset=True)
        shown = self._shown(request, job)
        return web.json_response(shown, status=201, headers={"Location": shown["self"]})

    async def _fetched(self, address: str) -> bytes | None:
        """The recording: a blob of the account, or what is at the address of somebody else, by a plain GET."""
        if self.storage.owns(address):
            return self.storage.read(address)
        try:
            async with (
                aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as session,
                session.get(address, allow_redirects=False) as answer,
            ):
                return await answer.read() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    def _recognise(self, job: Job, content: bytes | None) -> None:
        if content is None:
            job.problem = ("InvalidUri", "The recordings URI could not be accessed.")
            return
        try:
            heard = hear(content)
        except AudioError:
            job.problem = ("InvalidAudioFormat", "The audio stream could not be decoded.")
            return
        except Unheard as error:
            job.problem = ("InternalError", str(error))
            return
        speakers = job.wish.properties.diarization
        if speakers and speakers.enabled and len(heard.channels) > 1:
            job.problem = ("InvalidAudioFormat", "Diarization needs a recording of one channel.")
            return
        job.heard = heard

    def _known(self, request: web.Request) -> Job:
        if request.match_info["id"] not in self.jobs:
            raise Refused("NotFound", "The specified entity cannot be found.")
        return self.jobs[request.match_info["id"]]

    async def _list(self, request: web.Request) -> web.Response:
        skip, top = int(request.query.get("skip", "0")), min(int(request.query.get("top", "100")), 100)
        jobs = list(self.jobs.values())
        if told := request.query.get("filter"):
            terms = [TERM.fullmatch(term) for term in told.split(" or ")]
            if not all(terms):
                raise Refused("InvalidRequest", "The filter is invalid.", "InvalidFilter")
            names = {term[1].replace("''", "'") for term in terms if term}
            jobs = [job for job in jobs if job.wish.displayName in names]
        return web.json_response({"values": [self._shown(request, job) for job in jobs[skip : skip + top]]})

    async def _read(self, request: web.Request) -> web.Response:
        shown = self._shown(request, self._known(request))
        headers = {} if shown["status"] == "Succeeded" else {"Retry-After": "1"}
        return web.json_response(shown, headers=headers)

    async def _files(self, request: web.Request) -> web.Response:
        job = self._known(request)
        names = ["report.json"] if job.problem else ["contenturl_0.json", "report.json"]
        kinds = {"contenturl_0.json": "Transcription", "report.json": "TranscriptionReport"}
        values = [
            {
                "name": name,
                "kind": kinds[name],
                "links": {"contentUrl": f"{request.url.origin()}/results/{job.id}/{name}"},
            }
            for name in names
        ]
        return web.json_response({"values": values if job.over else []})

    async def _content(self, request: web.Request) -> web.Response:
        if "Ocp-Apim-Subscription-Key" in request.headers:
            raise Refused("InvalidRequest", "Results are read without the key.")
        job = self._known(request)
        if request.match_info["name"] == "report.json":
            return web.json_response(_report(job))
        assert job.heard is not None
        request["entry"].update(audioMs=job.heard.duration_ms, text=job.heard.text)
        return web.json_response(_result(job.wish, job.heard))

    async def _delete(self, request: web.Request) -> web.Response:
        self.jobs.pop(request.match_info["id"], None)
        return web.Response(status=204)

    def _shown(self, request: web.Request, job: Job) -> dict[str, Any]:
        status = "Succeeded" if job.over else "Running"
        own = f"{request.url.origin()}/speechtotext/transcriptions/{job.id}?api-version={API}"
        wish = job.wish.model_dump(include={"displayName", "locale", "customProperties"})
        return {"self": own, **wish, "status": status, "properties": job.wish.properties.model_dump(exclude_none=True)}


def _report(job: Job) -> dict[str, Any]:
    kind, words = job.problem or ("", "")
    failed = {"status": "Failed", "errorKind": kind, "errorMessage": words}
    return {
        "successfulTranscriptionsCount": 0 if job.problem else 1,
        "failedTranscriptionsCount": 1 if job.problem else 0,
        "details": [failed if job.problem else {"status": "Succeeded"}],
    }


def _result(wish: Wish, heard: Recording) -> dict[str, Any]:
    speakers = wish.properties.diarization is not None
    phrases = [
        _phrase(segment, wish, number, place % 2 + 1 if speakers else None)
        for number in wish.properties.channels
        if number < len(heard.channels)
        for place, segment in enumerate(heard.channels[number])
    ]
    return {
        "timestamp": datetime.now(UTC).isoformat(),
        "durationInTicks": heard.duration_ms * 10_000,
        "durationMilliseconds": heard.duration_ms,
        "combinedRecognizedPhrases": [],
        "recognizedPhrases": phrases,
    }


def _phrase(segment: Segment, wish: Wish, channel: int, speaker: int | None) -> dict[str, Any]:
    lexical = " ".join(word.text.lower() for word in segment.words)
    display = sentence(segment) if wish.properties.punctuationMode != "None" else lexical
    words = [
        {"word": word.text.lower(), "confidence": word.confidence, **_place(word.start_ms, word.end_ms)}
        for word in segment.words
    ]
    shown = [
        {"displayText": text, **_place(word.start_ms, word.end_ms)}
        for word, text in zip(segment.words, display.split(" "), strict=True)
    ]
    best: dict[str, Any] = {"confidence": 0.91, "lexical": lexical, "itn": lexical, "display": display}
    best |= {"words": words} if wish.properties.wordLevelTimestampsEnabled else {}
    best |= {"displayWords": shown} if wish.properties.displayFormWordLevelTimestampsEnabled else {}
    said = {"recognitionStatus": "Success", "channel": channel, "locale": wish.locale, "nBest": [best]}
    said |= _place(segment.words[0].start_ms, segment.words[-1].end_ms)
    return said if speaker is None else {**said, "speaker": speaker}


def _place(start_ms: int, end_ms: int) -> dict[str, Any]:
    length = end_ms - start_ms
    return {
        "offset": f"PT{start_ms / 1000}S",
        "duration": f"PT{length / 1000}S",
        "offsetInTicks": start_ms * 10_000.0,
        "durationInTicks": length * 10_000.0,
        "offsetMilliseconds": start_ms,
        "durationMilliseconds": length,
    }

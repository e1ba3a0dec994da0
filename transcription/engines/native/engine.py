"""Client of the native Speech API v2 (providers §4.2)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterator
from itertools import islice
from typing import Any, TypeVar

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from core.engines import Step
from core.outbound import (
    AddressRefused,
    OutboundPolicy,
    ResolveFailed,
    Response,
    ResponseRefused,
    check_url,
    guarded_session,
    request,
)
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine
from transcription.engines.native.answers import Job, Listing, job_failure, read_result, to_transcript
from transcription.engines.native.options import NativeOptions

Answer = TypeVar("Answer", bound=BaseModel)
MAX_RESULT_BYTES = 64 * 1024 * 1024
# Pieces have at most 64 KiB.
PIECES_AT_ONCE = 16
PAGE_JOBS = 200
MOST_PAGES = 1000
TEST_CHECKS = 60
TEST_INTERVAL_S = 1.0
CLASSES = {
    400: ErrorClass.INPUT,
    401: ErrorClass.CONFIG,
    403: ErrorClass.CONFIG,
    413: ErrorClass.INPUT,
    415: ErrorClass.INPUT,
    422: ErrorClass.INPUT,
    429: ErrorClass.RATE,
}


class NativeSpeechEngine(SpeechEngine):
    """Submits, polls and fetches over one keep-alive session."""

    label = "Native Speech API v2"
    options_type = NativeOptions
    options: NativeOptions

    def __init__(self, options: NativeOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def check_address(cls, options: NativeOptions, policy: OutboundPolicy) -> None:
        """Judge the server address; raises AddressRefused for the field server_address."""
        check_url(options.server_address, policy)

    @property
    def concurrency(self) -> int:
        """The setting "Requests at a time"."""
        return self.options.concurrency

    async def open(self) -> None:
        """Make the guarded session."""
        self._session = guarded_session(
            self.policy,
            verify_tls=self.options.ssl_verify,
            total_timeout_s=self.options.request_timeout_s,
            user_agent="Parlance",
        )

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """POST the audio under our reference as idempotency key: a repeated submission gets the first job back."""
        config = {
            "language": request.language,
            "punctuate": self.options.punctuate,
            "words": True,
            "channels": "separate",
            "metadata": {"ref": request.reference},
        }
        form = aiohttp.FormData()
        form.add_field("config", json.dumps(config), content_type="application/json")
        form.add_field("audio", _pieces(audio), filename=audio.name, content_type=audio.mime)
        headers = {"Idempotency-Key": request.reference}
        response = await self._call("POST", "/v2/transcriptions", expect=202, data=form, headers=headers)
        job = _parse(Job, response)
        return Remote(external_id=job.id, check_after_s=_retry_after(response))

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the job once."""
        path = f"/v2/transcriptions/{remote.external_id}"
        response = await self._call("GET", path, expect=200, missing=ErrorClass.LOST)
        job = _parse(Job, response)
        if job.id != remote.external_id:
            raise EngineError(ErrorClass.OUTPUT, "The server answered for another job.", code="foreign_id")
        if job.status == "completed":
            return Done()
        if job.status == "canceled":
            return Failed(EngineError(ErrorClass.LOST, "The job was cancelled at the server.", code="canceled"))
        if job.status == "failed":
            return Failed(job_failure(job.error))
        return Pending(check_after_s=_retry_after(response), progress=job.progress)

    async def fetch(self, remote: Remote) -> TranscriptData:
        """GET the result and validate every field of it."""
        path = f"/v2/transcriptions/{remote.external_id}/result"
        response = await self._call("GET", path, expect=200, missing=ErrorClass.LOST, max_body_bytes=MAX_RESULT_BYTES)
        try:
            result = read_result(response.body)
        except ValueError as error:
            raise _not_ours() from error
        if result.id != remote.external_id:
            raise EngineError(ErrorClass.OUTPUT, "The server answered for another job.", code="foreign_id")
        return to_transcript(result)

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """GET the list of jobs, page by page, and pick those whose metadata name one of the references."""
        found: dict[str, list[Remote]] = {}
        query = f"?limit={PAGE_JOBS}"
        for _page in range(MOST_PAGES):
            page = _parse(Listing, await self._call("GET", f"/v2/transcriptions{query}", expect=200))
            for job in page.items:
                if job.config.metadata.ref in references:
                    found.setdefault(job.config.metadata.ref, []).append(Remote(external_id=job.id))
            if page.nextCursor is None:
                return found
            query = f"?limit={PAGE_JOBS}&cursor={page.nextCursor}"
        raise EngineError(ErrorClass.OUTPUT, "The server's list of jobs does not end.", code="endless_list")

    async def cleanup(self, remote: Remote) -> None:
        """DELETE; the server answers 204 however often it is asked."""
        await self._call("DELETE", f"/v2/transcriptions/{remote.external_id}", expect=204)

    async def check(self, sample: AudioSource) -> AsyncIterator[Step]:
        """The guide's four steps against the real server, with the sample audio."""
        clock = time.monotonic()

        def step(key: str, status: str, progress: int, detail: str = "", text: str = "") -> Step:
            return Step(key, status, progress, detail, round((time.monotonic() - clock) * 1000), text)

        yield step("settings", "running", 0)
        info = await self._call("GET", "/v2/info", expect=200)
        yield step("settings", "ok", 25, _describe(info))
        clock = time.monotonic()
        yield step("upload", "running", 25)
        remote = await self.submit(sample, Request(language="en-US", reference=f"test-{time.time_ns()}"))
        try:
            yield step("upload", "ok", 50, remote.external_id)
            clock = time.monotonic()
            yield step("wait", "running", 50)
            transcript = await self._wait_for_test(remote)
            text = " ".join(segment.text for segment in transcript.segments)
            yield step("wait", "ok", 75, "", text)
        finally:
            clock = time.monotonic()
            await self.cleanup(remote)
        yield step("cleanup", "ok", 100)

    async def _wait_for_test(self, remote: Remote) -> TranscriptData:
        for _attempt in range(TEST_CHECKS):
            state = await self.poll(remote)
            if isinstance(state, Done):
                return await self.fetch(remote)
            if isinstance(state, Failed):
                raise state.error
            await asyncio.sleep(TEST_INTERVAL_S)
        raise EngineError(ErrorClass.TRANSIENT, f"No result after {TEST_CHECKS} seconds.", code="timeout")

    async def _call(
        self, method: str, path: str, *, expect: int, missing: ErrorClass = ErrorClass.CONFIG, **options: Any
    ) -> Response:
        """Send one request. ``missing`` is what a 404 means: a lost job where one is asked for, else a wrong server."""
        headers = dict(options.pop("headers", {}))
        if self.options.token is not None:
            headers["Authorization"] = f"Bearer {self.options.token.get_secret_value()}"
        assert self._session is not None, "open() comes first"
        try:
            url = self.options.server_address + path
            response = await request(self._session, method, url, headers=headers, **options)
        except AddressRefused as error:
            raise EngineError(ErrorClass.CONFIG, error.message, code="address_refused") from error
        except ResponseRefused as error:
            raise EngineError(ErrorClass.OUTPUT, error.message, code=error.code) from error
        except ResolveFailed as error:
            raise EngineError(ErrorClass.TRANSIENT, "The server's name cannot be resolved.", code="resolve") from error
        except TimeoutError as error:
            limit = self.options.request_timeout_s
            raise EngineError(ErrorClass.TRANSIENT, f"No answer within {limit} seconds.", code="timeout") from error
        except aiohttp.ClientSSLError as error:
            raise EngineError(ErrorClass.CONFIG, "The server's certificate is not trusted.", code="tls") from error
        except (aiohttp.ClientError, OSError) as error:
            message = f"The server cannot be reached ({type(error).__name__})."
            raise EngineError(ErrorClass.TRANSIENT, message, code="connection") from error
        if response.status != expect:
            raise _refusal(response, self.options, missing)
        return response


async def _pieces(audio: AudioSource) -> AsyncIterator[bytes]:
    """The audio's bytes; reading and decrypting block, so they happen in a thread, about a megabyte at a time."""
    pieces: Iterator[bytes] | None = None

    def read() -> list[bytes]:
        nonlocal pieces
        pieces = pieces or audio.open()
        return list(islice(pieces, PIECES_AT_ONCE))

    while True:
        batch = await asyncio.to_thread(read)
        for piece in batch:
            yield piece
        if len(batch) < PIECES_AT_ONCE:
            return


def _parse(model: type[Answer], response: Response) -> Answer:
    try:
        return model.model_validate_json(response.body)
    except ValidationError as error:
        raise _not_ours() from error


def _not_ours() -> EngineError:
    message = "The server's answer does not follow the Speech API v2."
    return EngineError(ErrorClass.OUTPUT, message, code="invalid_answer")


def _retry_after(response: Response) -> float | None:
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None


def _refusal(response: Response, options: NativeOptions, missing: ErrorClass) -> EngineError:
    """The provider's own words with the token masked; the class by status."""
    status = response.status
    otherwise = ErrorClass.TRANSIENT if status >= 500 or status == 409 else ErrorClass.CONFIG
    error_class = missing if status == 404 else CLASSES.get(status, otherwise)
    code, detail = "", ""
    try:
        problem = orjson.loads(response.body)
        code, detail = str(problem.get("code", "")), str(problem.get("detail") or problem.get("title") or "")
    except (orjson.JSONDecodeError, AttributeError):
        detail = ""
    if options.token is not None:
        code, detail = (text.replace(options.token.get_secret_value(), "••••") for text in (code, detail))
    message = f"HTTP {status} {code} {detail}".strip()
    return EngineError(error_class, message, code=code or str(status), retry_after=_retry_after(response))


def _describe(info: Response) -> str:
    try:
        facts = orjson.loads(info.body)
        return f"{facts.get('name', '')} {facts.get('version', '')}, API {facts.get('api', '')}".strip()
    except (orjson.JSONDecodeError, AttributeError) as error:
        message = "The server's answer does not follow the Speech API v2."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error

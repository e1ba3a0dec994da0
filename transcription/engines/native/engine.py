"""Client of the native Speech API v2 (providers §4.2)."""

import json
from collections.abc import Collection

import aiohttp
import orjson

from core.outbound import OutboundPolicy, Response
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine
from transcription.engines.native.answers import Job, Listing, job_failure, read_result, to_transcript
from transcription.engines.native.options import NativeOptions
from transcription.engines.rest import OverRest, Rest, parse
from transcription.engines.wire import pieces, retry_after

MAX_RESULT_BYTES = 64 * 1024 * 1024
PAGE_JOBS = 200
MOST_PAGES = 1000


class NativeSpeechEngine(OverRest, SpeechEngine):
    """Submits, polls and fetches over one keep-alive session."""

    label = "Native Speech API v2"
    options_type = NativeOptions
    options: NativeOptions

    def __init__(self, options: NativeOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        token = options.token.get_secret_value() if options.token is not None else ""
        self._rest = Rest(
            policy,
            base=options.server_address,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            secrets=[token],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=lambda problem: (problem.get("code"), problem.get("detail") or problem.get("title")),
        )

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
        form.add_field("audio", pieces(audio), filename=audio.name, content_type=audio.mime)
        headers = {"Idempotency-Key": request.reference}
        response = await self._rest.call("POST", "/v2/transcriptions", data=form, headers=headers)
        job = parse(Job, response.body)
        return Remote(external_id=job.id, check_after_s=retry_after(response))

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the job once."""
        path = f"/v2/transcriptions/{remote.external_id}"
        response = await self._rest.call("GET", path, missing=ErrorClass.LOST)
        job = parse(Job, response.body)
        if job.id != remote.external_id:
            raise EngineError(ErrorClass.OUTPUT, "The server answered for another job.", code="foreign_id")
        if job.status == "completed":
            return Done()
        if job.status == "canceled":
            return Failed(EngineError(ErrorClass.LOST, "The job was cancelled at the server.", code="canceled"))
        if job.status == "failed":
            return Failed(job_failure(job.error))
        return Pending(check_after_s=retry_after(response), progress=job.progress)

    async def fetch(self, remote: Remote) -> TranscriptData:
        """GET the result and validate every field of it."""
        path = f"/v2/transcriptions/{remote.external_id}/result"
        response = await self._rest.call("GET", path, missing=ErrorClass.LOST, max_body_bytes=MAX_RESULT_BYTES)
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
            response = await self._rest.call("GET", f"/v2/transcriptions{query}")
            page = parse(Listing, response.body)
            for job in page.items:
                if job.config.metadata.ref in references:
                    found.setdefault(job.config.metadata.ref, []).append(Remote(external_id=job.id))
            if page.nextCursor is None:
                return found
            query = f"?limit={PAGE_JOBS}&cursor={page.nextCursor}"
        raise EngineError(ErrorClass.OUTPUT, "The server's list of jobs does not end.", code="endless_list")

    async def cleanup(self, remote: Remote) -> None:
        """DELETE; the server answers 204 however often it is asked."""
        await self._rest.call("DELETE", f"/v2/transcriptions/{remote.external_id}")

    async def greet(self) -> str:
        """What the server says of itself."""
        return _describe(await self._rest.call("GET", "/v2/info"))


def _not_ours() -> EngineError:
    message = "The server's answer does not follow the Speech API v2."
    return EngineError(ErrorClass.OUTPUT, message, code="invalid_answer")


def _describe(info: Response) -> str:
    try:
        facts = orjson.loads(info.body)
        return f"{facts.get('name', '')} {facts.get('version', '')}, API {facts.get('api', '')}".strip()
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise _not_ours() from error

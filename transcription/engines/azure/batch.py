"""Batch transcription by way of a blob, or of a link to us: jobs of the REST interface 2024-11-15 (providers §2.2)."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.azure.answers import language_of
from transcription.engines.azure.jobs import File, Files, Job, Jobs, Report, Result, segments_of
from transcription.engines.azure.options import AzureOptions
from transcription.engines.azure.storage import Storage
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, runs_again
from transcription.engines.rest import Rest, parse
from transcription.engines.wire import retry_after

API_VERSION = "2024-11-15"
MAX_ANSWER_BYTES = 64 * 1024 * 1024
TIME_TO_LIVE_HOURS = 48
# Between the job's id and the blob that is deleted with it.
MARK = "@"
PAGE = 100
# References in one question; their names go into the address.
NAMES_AT_ONCE = 20
_ID = re.compile(r"[0-9A-Za-z-]{8,64}")
_PROPERTY, _BLOB = "parlance", "blob"
# Of a job that failed: what may go well the next time, and what is a setting.
_AGAIN = {"InternalServerError", "ServiceUnavailable", "TooManyRequests", "QuotaViolation", "Timeout"}
_SETTINGS = {"InaccessibleCustomerStorage", "Unauthorized", "Forbidden", "InvalidModel"}


class BatchTranscription:
    """Jobs of the service. ``rest`` speaks to it with the key; results are read without."""

    def __init__(self, options: AzureOptions, policy: OutboundPolicy, rest: Rest) -> None:
        self._options, self._rest = options, rest
        self.storage = Storage(options, policy, rest)
        self._results = Rest(
            policy,
            base="",
            headers={},
            secrets=[],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=lambda problem: ("", ""),
        )

    async def open(self) -> None:
        """Make the connections."""
        await self.storage.open()
        await self._results.open()

    async def close(self) -> None:
        """Close them; twice is fine."""
        await self.storage.close()
        await self._results.close()

    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """Upload and begin; a job that has this reference is it (R7: the service itself would make two)."""
        if known := (await self.find([request.reference])).get(request.reference):
            return known[0]
        name = "" if self._options.hand_over == "link" else self._options.storage_prefix + request.reference
        address = await self.storage.upload(name, audio) if name else self._link(audio)
        try:
            response = await self._call("POST", ":submit", json=self._wish(address, name, audio, request))
            job = parse(Job, response.body)
            return Remote(f"{_id_of(job.self_)}{MARK}{name}", retry_after(response))
        except EngineError as error:
            # Else there is a job, or the next try uses the blob.
            if name and error.error_class in {ErrorClass.INPUT, ErrorClass.CONFIG}:
                await self.storage.delete(name)
            raise

    def _link(self, audio: AudioSource) -> str:
        if audio.link is None:
            raise EngineError(ErrorClass.CONFIG, "This recording has no address to be fetched from.", code="no_link")
        return self._options.reached_at + audio.link()

    def _wish(self, address: str, blob: str, audio: AudioSource, request: Request) -> dict[str, Any]:
        stereo, languages = audio.channels > 1, self._options.languages(request.language, request.candidates)
        properties: dict[str, Any] = {
            "timeToLiveHours": TIME_TO_LIVE_HOURS,
            "wordLevelTimestampsEnabled": True,
            "displayFormWordLevelTimestampsEnabled": True,
            "channels": [0, 1] if stereo else [0],
            "punctuationMode": "DictatedAndAutomatic" if self._options.punctuate else "None",
            "profanityFilterMode": self._options.profanity,
        }
        if self._options.diarize and not stereo:
            properties["diarization"] = {"enabled": True, "maxSpeakers": self._options.max_speakers}
        if len(languages) > 1:
            properties["languageIdentification"] = {"mode": "Continuous", "candidateLocales": languages}
        return {
            "contentUrls": [address],
            "locale": languages[0],
            "displayName": request.reference,
            "properties": properties,
            "customProperties": {_PROPERTY: request.reference} | ({_BLOB: blob} if blob else {}),
        }

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the job once."""
        number = self._number(remote)
        response = await self._call("GET", f"/{number}", missing=ErrorClass.LOST)
        job = parse(Job, response.body)
        if _id_of(job.self_) != number:
            raise EngineError(ErrorClass.OUTPUT, "The service answered for another job.", code="foreign_id")
        if job.status == "Failed":
            return Failed(self._failure(job))
        return Done() if job.status == "Succeeded" else Pending(retry_after(response))

    def _failure(self, job: Job) -> EngineError:
        code, words = self._rest.shown(job.properties.error.code, 100), self._rest.shown(job.properties.error.message)
        error_class = ErrorClass.LOST if code in _AGAIN else ErrorClass.INPUT
        error_class = ErrorClass.CONFIG if code in _SETTINGS else error_class
        return EngineError(error_class, " ".join(filter(None, (code, words))) or "The job failed.", code=code)

    async def fetch(self, remote: Remote) -> TranscriptData:
        """The report, then the result: a job that succeeded may have failed with its one file."""
        number = self._number(remote)
        response = await self._call("GET", f"/{number}/files", missing=ErrorClass.LOST)
        files = {file.kind: file for file in parse(Files, response.body).values}
        if report := files.get("TranscriptionReport"):
            self._judge(parse(Report, await self._content(report)))
        if "Transcription" not in files:
            if isinstance(await self.poll(remote), Pending):
                raise runs_again()
            raise EngineError(ErrorClass.OUTPUT, "The job has no result.", code="no_result")
        result = parse(Result, await self._content(files["Transcription"]))
        segments = segments_of(result, punctuate=self._options.punctuate)
        language = language_of([phrase.locale for phrase in result.recognizedPhrases])
        return TranscriptData(language, round(result.durationMilliseconds), "batch", segments)

    def _judge(self, report: Report) -> None:
        failed = [detail for detail in report.details if detail.status == "Failed"]
        if not failed and not report.failedTranscriptionsCount:
            return
        code = self._rest.shown(failed[0].errorKind, 100) if failed else ""
        words = self._rest.shown(failed[0].errorMessage) if failed else ""
        error_class = ErrorClass.CONFIG if code in _SETTINGS else ErrorClass.INPUT
        message = " ".join(filter(None, (code, words))) or "The service could not transcribe the recording."
        raise EngineError(error_class, message, code=code)

    async def _content(self, file: File) -> bytes:
        response = await self._results.call(
            "GET", file.links.contentUrl, missing=ErrorClass.LOST, max_body_bytes=MAX_ANSWER_BYTES
        )
        return response.body

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """By the names of jobs, which are our references; what else has such a name has no property of ours."""
        wanted, found = sorted(references), dict[str, list[Remote]]()
        for begin in range(0, len(wanted), NAMES_AT_ONCE):
            names = wanted[begin : begin + NAMES_AT_ONCE]
            for job in await self._listed(names):
                reference = job.customProperties.get(_PROPERTY, "")
                if reference in names:
                    name = job.customProperties.get(_BLOB, "")
                    found.setdefault(reference, []).append(Remote(f"{_id_of(job.self_)}{MARK}{name}"))
        return found

    async def _listed(self, names: list[str]) -> list[Job]:
        told = " or ".join("displayName eq '{}'".format(name.replace("'", "''")) for name in names)
        jobs: list[Job] = []
        while True:
            query = {"filter": told, "skip": len(jobs), "top": PAGE}
            page = parse(Jobs, (await self._call("GET", "", query=query)).body)
            jobs += page.values
            if len(page.values) < PAGE:
                return jobs

    async def cleanup(self, remote: Remote) -> None:
        """Delete the job with its results, then the blob if there was one; both may be gone."""
        number, mark, name = remote.external_id.partition(MARK)
        if not (_ID.fullmatch(number) and mark):
            return
        await self._call("DELETE", f"/{number}", accept=frozenset({404}))
        if name:
            await self.storage.delete(name)

    def _number(self, remote: Remote) -> str:
        number, mark, _name = remote.external_id.partition(MARK)
        if not mark or not _ID.fullmatch(number):
            raise EngineError(ErrorClass.LOST, "This is no job of the service.", code="no_jobs")
        return number

    async def _call(self, method: str, path: str, *, query: dict[str, Any] | None = None, **options: Any) -> Any:
        told = urlencode({"api-version": API_VERSION, **(query or {})}, quote_via=quote)
        if "json" in options:
            options |= {"data": orjson.dumps(options.pop("json")), "headers": {"Content-Type": "application/json"}}
        return await self._rest.call(
            method, f"/transcriptions{path}?{told}", max_body_bytes=MAX_ANSWER_BYTES, **options
        )


def _id_of(address: str) -> str:
    """The id in the address of a job: its last part."""
    number = urlsplit(address).path.rsplit("/", 1)[-1]
    if not _ID.fullmatch(number):
        raise EngineError(ErrorClass.OUTPUT, "The service names no job.", code="invalid_answer")
    return number

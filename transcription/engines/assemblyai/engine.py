"""The adapter of AssemblyAI: upload, a job over it, and its transcript."""

from typing import Any

from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.assemblyai.answers import Job, Uploaded, failure_of, segments_of
from transcription.engines.assemblyai.options import AssemblyAIOptions
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine, runs_again
from transcription.engines.rest import OverRest, Rest, parse
from transcription.engines.tags import Detection
from transcription.engines.wire import pieces, retry_after

MAX_ANSWER_BYTES = 64 * 1024 * 1024
# The vendor writes regions of English alone.
ENGLISH = {"en-us": "en_us", "en-gb": "en_uk", "en-au": "en_au"}


class AssemblyAIEngine(OverRest, SpeechEngine):
    """Pre-recorded audio, with channels apart."""

    label = "AssemblyAI"
    options_type = AssemblyAIOptions
    detects = Detection(openly=True, most=10)
    keeps_references = False
    options: AssemblyAIOptions

    def __init__(self, options: AssemblyAIOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        key = options.api_key.get_secret_value() if options.api_key else ""
        self._rest = Rest(
            policy,
            base=options.address,
            headers={"Authorization": key} if key else {},
            secrets=[key],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=lambda problem: ("", problem.get("error")),
        )

    async def greet(self) -> str:
        """Ask for one job of the list, which needs the key."""
        await self._rest.call("GET", "/v2/transcript?limit=1")
        return self.options.model

    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """Stream the recording, then ask for its transcript. The vendor keeps no reference: twice makes two jobs."""
        headers = {"Content-Type": "application/octet-stream"}
        response = await self._rest.call("POST", "/v2/upload", data=pieces(audio), headers=headers)
        uploaded = parse(Uploaded, response.body)
        asked = self._parameters(audio, request) | {"audio_url": uploaded.upload_url}
        response = await self._rest.call("POST", "/v2/transcript", json=asked)
        return Remote(external_id=parse(Job, response.body).id, check_after_s=retry_after(response))

    def _parameters(self, audio: AudioSource, request: Request) -> dict[str, Any]:
        return {
            "speech_models": [self.options.model],
            **_language(request),
            "punctuate": self.options.punctuate,
            "format_text": self.options.punctuate,
            "multichannel": audio.channels > 1,
            "speaker_labels": self.options.diarize and audio.channels == 1,
        }

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the job once."""
        job = await self._job(remote)
        if job.status == "completed":
            return Done()
        if job.status == "error":
            return Failed(failure_of(job, self._rest.shown(job.error)))
        return Pending()

    async def fetch(self, remote: Remote) -> TranscriptData:
        """The transcript is part of the job."""
        job = await self._job(remote)
        if job.status == "error":
            raise failure_of(job, self._rest.shown(job.error))
        if job.status != "completed":
            raise runs_again()
        return TranscriptData(
            job.language_code or "", round((job.audio_duration or 0) * 1000), self.options.model, segments_of(job)
        )

    async def _job(self, remote: Remote) -> Job:
        path = f"/v2/transcript/{remote.external_id}"
        response = await self._rest.call("GET", path, missing=ErrorClass.LOST, max_body_bytes=MAX_ANSWER_BYTES)
        job = parse(Job, response.body)
        if job.id != remote.external_id:
            raise EngineError(ErrorClass.OUTPUT, "The server answered for another job.", code="foreign_id")
        if job.deleted:
            raise EngineError(ErrorClass.LOST, "The job was deleted at the server.", code="deleted")
        return job

    async def cleanup(self, remote: Remote) -> None:
        """DELETE removes audio and transcript; a job that is gone is fine."""
        await self._rest.call("DELETE", f"/v2/transcript/{remote.external_id}", accept=frozenset({404}))


def _language(request: Request) -> dict[str, Any]:
    if request.language:
        return {"language_code": _code(request.language)}
    expected = [_code(tag) for tag in request.candidates]
    among = {"language_detection_options": {"expected_languages": expected}} if expected else {}
    return {"language_detection": True, **among}


def _code(tag: str) -> str:
    return ENGLISH.get(tag.lower(), tag.lower().partition("-")[0])

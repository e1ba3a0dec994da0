"""The adapter of Deepgram: one request sends the recording as it is and brings the transcript."""

from typing import Any
from urllib.parse import urlencode

from core.outbound import OutboundPolicy
from core.outcomes import ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.base import AnsweringEngine, AudioSource, Request
from transcription.engines.deepgram.answers import Listened, language_of, segments_of
from transcription.engines.deepgram.options import DeepgramOptions
from transcription.engines.rest import OverRest, Rest, parse
from transcription.engines.tags import Detection
from transcription.engines.wire import pieces

MAX_ANSWER_BYTES = 64 * 1024 * 1024


class DeepgramEngine(OverRest, AnsweringEngine):
    """Pre-recorded audio, with channels apart."""

    label = "Deepgram"
    options_type = DeepgramOptions
    detects = Detection(openly=True, most=10)
    options: DeepgramOptions

    def __init__(self, options: DeepgramOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        key = options.api_key.get_secret_value() if options.api_key else ""
        self._rest = Rest(
            policy,
            base=options.address,
            headers={"Authorization": f"Token {key}"} if key else {},
            secrets=[key],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=lambda problem: (problem.get("err_code"), problem.get("err_msg")),
        )

    async def greet(self) -> str:
        """Ask for the projects of the key; servers of one's own have none, and keys may lack the right."""
        await self._rest.call("GET", "/v1/projects", accept=frozenset({403, 404}))
        return self.options.model

    async def submit(self, audio: AudioSource, request: Request) -> TranscriptData:
        """Stream the recording."""
        query = urlencode(self._parameters(audio, request), doseq=True)
        response = await self._rest.call(
            "POST",
            f"/v1/listen?{query}",
            missing=ErrorClass.CONFIG,
            data=pieces(audio),
            headers={"Content-Type": audio.mime},
            max_body_bytes=MAX_ANSWER_BYTES,
        )
        answer = parse(Listened, response.body)
        duration_ms = round(answer.metadata.duration * 1000) or audio.duration_ms
        language = language_of(answer) or request.language
        return TranscriptData(language, duration_ms, self.options.model, segments_of(answer))

    def _parameters(self, audio: AudioSource, request: Request) -> dict[str, Any]:
        def said(value: bool) -> str:
            return "true" if value else "false"

        return {
            "model": self.options.model,
            **_language(request),
            "punctuate": said(self.options.punctuate),
            "smart_format": said(self.options.smart_format),
            "multichannel": said(audio.channels > 1),
            "diarize": said(self.options.diarize and audio.channels == 1),
            "utterances": "true",
            "tag": request.reference,
        }


def _language(request: Request) -> dict[str, Any]:
    """Detection is switched on, or switched on for some languages alone, which the vendor writes without regions.

    The list is an assumption: the reference and the vendor's client tell of ``true`` alone.
    """
    if request.language:
        return {"language": request.language}
    return {"detect_language": [tag.partition("-")[0].lower() for tag in request.candidates] or ["true"]}

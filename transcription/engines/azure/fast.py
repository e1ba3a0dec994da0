"""Fast transcription by the vendor's SDK: one request sends the recording and brings the transcript (providers §2.3)."""

import asyncio
from typing import Any

import aiohttp

from core.outbound import OutboundPolicy, Response, guarded_session
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.azure.answers import Fast, language_of, segments_of
from transcription.engines.azure.options import AzureOptions
from transcription.engines.base import AudioSource, Request
from transcription.engines.rest import Rest, parse
from transcription.engines.wire import no_answer, pieces

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MEGABYTE = 1024 * 1024
KEY_HEADER = "Ocp-Apim-Subscription-Key"


class FastTranscription:
    """The SDK's client on a guarded session. It repeats nothing: attempts are counted by the jobs."""

    def __init__(self, options: AzureOptions, policy: OutboundPolicy, rest: Rest) -> None:
        self._options, self._policy, self._rest = options, policy, rest
        self._session: aiohttp.ClientSession | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Make the session and, in a thread because the import is slow, the client on it."""
        self._session = guarded_session(
            self._policy,
            verify_tls=self._options.ssl_verify,
            total_timeout_s=self._options.request_timeout_s,
            user_agent="Parlance",
        )
        self._client = await asyncio.to_thread(self._make, self._session)

    async def close(self) -> None:
        """Close the session; twice is fine."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _make(self, session: aiohttp.ClientSession) -> Any:
        from azure.ai.transcription.aio import TranscriptionClient
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline.policies import AzureKeyCredentialPolicy

        from core.outbound.azure_transport import GuardedAzureTransport

        key = AzureKeyCredential(self._options.api_key.get_secret_value() if self._options.api_key else "")
        # Without the vendor's policies of retries, redirects, proxies, telemetry and logging.
        return TranscriptionClient(
            endpoint=self._options.address,
            credential=key,
            policies=[AzureKeyCredentialPolicy(key, KEY_HEADER)],
            transport=GuardedAzureTransport(session, max_body_bytes=MAX_ANSWER_BYTES),
        )

    async def transcribe(self, audio: AudioSource, request: Request) -> TranscriptData:
        """Stream the recording. Raises EngineError."""
        self._judge(audio)
        answer = parse(Fast, await self._asked(audio, request))
        found = language_of([phrase.locale for phrase in answer.phrases])
        return TranscriptData(
            found or request.language,
            round(answer.durationMilliseconds) or audio.duration_ms,
            "fast",
            segments_of(answer, punctuate=self._options.punctuate),
        )

    def _judge(self, audio: AudioSource) -> None:
        megabytes, minutes = self._options.fast_max_megabytes, self._options.fast_max_minutes
        if audio.size > megabytes * MEGABYTE:
            message = f"The recording is larger than fast transcription takes ({megabytes} MB)."
            raise EngineError(ErrorClass.INPUT, message, code="too_large")
        if audio.duration_ms > minutes * 60_000:
            message = f"The recording is longer than fast transcription takes ({minutes} minutes)."
            raise EngineError(ErrorClass.INPUT, message, code="too_long")

    async def _asked(self, audio: AudioSource, request: Request) -> bytes:
        from azure.core.exceptions import HttpResponseError

        from core.outbound.azure_transport import SizedStream

        stream = SizedStream(pieces(audio), audio.size)
        body = {"audio": (audio.name, stream, audio.mime), "definition": self._definition(audio, request)}
        try:
            with no_answer(self._options.request_timeout_s):
                read: bytes = await self._client.transcribe(body, cls=lambda piped, *_rest: piped.http_response.content)
                return read
        except HttpResponseError as error:
            raise self._refusal(error) from None
        except (ValueError, TypeError, RecursionError) as error:
            message = "The service's answer does not follow its format."
            raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error

    def _definition(self, audio: AudioSource, request: Request) -> Any:
        from azure.ai.transcription.models import TranscriptionDiarizationOptions, TranscriptionOptions

        stereo = audio.channels > 1
        speakers = self._options.diarize and not stereo
        return TranscriptionOptions(
            locales=self._options.languages(request.language, request.candidates),
            profanity_filter_mode=self._options.profanity,
            active_channels=[0, 1] if stereo else None,
            diarization_options=TranscriptionDiarizationOptions(max_speakers=self._options.max_speakers)
            if speakers
            else None,
        )

    def _refusal(self, error: Any) -> EngineError:
        response = error.response
        if response is None or response.status_code // 100 == 2:
            return EngineError(ErrorClass.OUTPUT, "The service's answer is no transcript.", code="invalid_answer")
        answer = Response(response.status_code, response.headers, response.content)
        return self._rest.refusal(answer, ErrorClass.CONFIG)

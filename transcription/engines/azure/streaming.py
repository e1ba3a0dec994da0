"""The Speech SDK, for containers and regions without REST: each channel as a session of its own (providers §2.5).

The SDK's native library makes its connections itself. So the address is judged here, with all that its name resolves to,
right before each session, and the library is told to fetch no revocation lists.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from core.audio.cutting import CutPlan, Piece
from core.outbound import AddressRefused, OutboundPolicy, check_url
from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, TranscriptData, Word
from transcription.engines.azure.answers import Answer, Share, in_order, plain, span
from transcription.engines.azure.jobs import TICKS_PER_MS, Ticks
from transcription.engines.azure.options import AzureOptions
from transcription.engines.base import AudioSource, Request
from transcription.engines.pieces import pieces_of, recognised
from transcription.engines.rest import Rest, parse

SAMPLE_RATE = 16_000
# Sic. Without it the SDK sends about as fast as people speak; longer than any recording, in milliseconds.
THROTTLE = ("SPEECH-TransmitLengthBeforThrottleMs", "86400000")
LIMIT_FACTOR, LIMIT_EXTRA_S = 1.5, 120.0
_CLASSES = {
    "AuthenticationFailure": ErrorClass.CONFIG,
    "Forbidden": ErrorClass.CONFIG,
    "BadRequest": ErrorClass.INPUT,
    "TooManyRequests": ErrorClass.RATE,
}
_PROFANITY = {"None": "Raw", "Masked": "Masked", "Removed": "Removed"}


class Placed(Answer):
    """Where something is in the recording, in ticks of 100 ns."""

    Offset: Ticks = Field(default=0, ge=0)
    Duration: Ticks = 0

    @property
    def span(self) -> tuple[int, int]:
        """Start and end in milliseconds."""
        return span(self.Offset / TICKS_PER_MS, self.Duration / TICKS_PER_MS)


class SpokenWord(Placed):
    """A word as it was spoken."""

    Word: str = Field(max_length=500)
    Confidence: Share | None = None


class ShownWord(Placed):
    """A word as it is written."""

    DisplayText: str = Field(max_length=500)


class Reading(Answer):
    """One reading of a phrase."""

    Confidence: Share | None = None
    Lexical: str = Field(default="", max_length=100_000)
    Display: str = Field(default="", max_length=100_000)
    Words: list[SpokenWord] = Field(default=[], max_length=100_000)
    DisplayWords: list[ShownWord] = Field(default=[], max_length=100_000)


class Phrase(Placed):
    """What the service says of one phrase."""

    NBest: list[Reading] = Field(default=[], max_length=100)


@dataclass
class Heard:
    """What the SDK's threads put together while a session goes on."""

    answers: list[str] = field(default_factory=list)
    error: tuple[str, str] | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Streaming:
    """Sessions of the SDK, in threads."""

    def __init__(self, options: AzureOptions, policy: OutboundPolicy, rest: Rest) -> None:
        self._options, self._policy, self._rest = options, policy, rest
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Threads of its own: a session holds one for minutes, which the rest of the worker would lack."""
        self._threads = ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="azure-speech")

    async def close(self) -> None:
        """Begin no more sessions; twice is fine."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def transcribe(self, audio: AudioSource, request: Request) -> TranscriptData:
        """Each channel in which somebody speaks, one after the other. Raises EngineError."""
        async with pieces_of(audio, CutPlan("wav", SAMPLE_RATE)) as pieces:
            segments = await recognised(pieces, lambda piece: self._recognise(piece, request.language))
        return TranscriptData(request.language, audio.duration_ms, "sdk", segments)

    async def _recognise(self, piece: Piece, language: str) -> Sequence[Segment]:
        heard = Heard()
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._session, piece, language, heard)
        finally:
            # A thread that is waited for no more ends its session.
            heard.over.set()
        if heard.error is not None:
            raise self._refusal(*heard.error)
        phrases = [parse(Phrase, answer.encode()) for answer in heard.answers]
        return in_order([self._segment(phrase) for phrase in phrases if phrase.NBest])

    def _session(self, piece: Piece, language: str, heard: Heard) -> None:
        from azure.cognitiveservices import speech

        self._judge()
        recogniser = self._recogniser(speech, str(piece.path), language)

        def recognized(event: Any) -> None:
            if event.result.reason == speech.ResultReason.RecognizedSpeech:
                heard.answers.append(event.result.json)

        def canceled(event: Any) -> None:
            details = event.cancellation_details
            if details.reason == speech.CancellationReason.Error:
                heard.error = (details.code.name, details.error_details)
            heard.over.set()

        recogniser.recognized.connect(recognized)
        recogniser.canceled.connect(canceled)
        recogniser.session_stopped.connect(lambda event: heard.over.set())
        limit_s = (piece.end_ms - piece.start_ms) / 1000 * LIMIT_FACTOR + LIMIT_EXTRA_S
        try:
            recogniser.start_continuous_recognition_async().get()
        except RuntimeError as error:
            message = f"The Speech SDK could not begin ({type(error).__name__})."
            raise EngineError(ErrorClass.TRANSIENT, message, code="sdk") from None
        in_time = heard.over.wait(limit_s)
        if heard.error is not None:
            # It has ended by itself; to stop it once more takes the library ten seconds.
            return
        # Not waited for: where the service says nothing more, that would last as long.
        stopping = recogniser.stop_continuous_recognition_async()
        if not in_time:
            raise EngineError(ErrorClass.TRANSIENT, f"No result within {limit_s:g} seconds.", code="timeout")
        stopping.get()

    def _judge(self) -> None:
        """The last look at the address before the library connects to it."""
        try:
            check_url(self._options.streaming_address, self._policy, field="endpoint")
        except AddressRefused as error:
            raise EngineError(ErrorClass.CONFIG, error.message, code="address_refused") from error

    def _recogniser(self, speech: Any, path: str, language: str) -> Any:
        # https becomes wss, http ws.
        host = "ws" + self._options.streaming_address.removeprefix("http")
        key = self._options.api_key.get_secret_value() if self._options.api_key else ""
        config = speech.SpeechConfig(host=host, subscription=key or None)
        config.output_format = speech.OutputFormat.Detailed
        config.request_word_level_timestamps()
        config.set_service_property("wordLevelConfidence", "true", speech.ServicePropertyChannel.UriQueryParameter)
        config.set_profanity(getattr(speech.ProfanityOption, _PROFANITY[self._options.profanity]))
        config.set_property_by_name(*THROTTLE)
        config.set_property_by_name("OPENSSL_DISABLE_CRL_CHECK", "true")
        audio, languages = speech.audio.AudioConfig(filename=path), self._options.languages(language)
        if len(languages) == 1:
            return speech.SpeechRecognizer(config, audio, language=language)
        config.set_property(speech.PropertyId.SpeechServiceConnection_LanguageIdMode, "Continuous")
        detected = speech.languageconfig.AutoDetectSourceLanguageConfig(languages=languages)
        return speech.SpeechRecognizer(config, audio, auto_detect_source_language_config=detected)

    def _segment(self, phrase: Phrase) -> Segment:
        best, punctuate, (start, end) = phrase.NBest[0], self._options.punctuate, phrase.span
        text = best.Display if punctuate else best.Lexical or plain(best.Display)
        if not punctuate or len(best.DisplayWords) != len(best.Words):
            words = tuple(Word(word.Word, *word.span, word.Confidence) for word in best.Words)
        else:
            pairs = zip(best.Words, best.DisplayWords, strict=True)
            words = tuple(Word(shown.DisplayText, *shown.span, word.Confidence) for word, shown in pairs)
        return Segment(0, "", start, end, text, words)

    def _refusal(self, code: str, details: str) -> EngineError:
        # What follows names the session and the address.
        said = self._rest.shown(details.partition("SessionId:")[0].strip())
        return EngineError(_CLASSES.get(code, ErrorClass.TRANSIENT), f"{code}: {said}", code=code)

"""The adapters: one request for each channel, cut where it is too large, by the vendor's SDK behind our guard."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import ValidationError

from core.audio.cutting import CutPlan, Piece
from core.openai.client import Connection, Refused, loaded
from core.openai.refusals import Refusal, error_of
from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, TranscriptData
from transcription.engines.base import AnsweringEngine, AudioSource, Request
from transcription.engines.openai.answers import Heard, segments_of
from transcription.engines.openai.languages import tag_of
from transcription.engines.openai.options import Answers, CompatibleAudioOptions, OpenAIAudioOptions
from transcription.engines.pieces import pieces_of, recognised
from transcription.engines.tags import Detection, Spoken

MAX_ANSWER_BYTES = 64 * 1024 * 1024
SAMPLE_RATE = 16_000
# Without times in the answer, a piece is a phrase: this is how finely turns are known then.
PHRASE_MS = 15_000
# Bytes of a second of one channel; Opus has its rate, FLAC never needs more than the samples.
BYTES_PER_S = {"ogg": 6_000, "flac": 32_500, "wav": 32_500}
# What is left out, one after the other, where a server does not know it.
MOST_TRIES = 4


class _OtherForm(Exception):
    """Answers have another form than the pieces were cut for: without times, a piece is a phrase."""


class OpenAIAudioEngine(AnsweringEngine):
    """The vendor's service."""

    label = "OpenAI Speech to Text"
    options_type: ClassVar[type[OpenAIAudioOptions]] = OpenAIAudioOptions
    detects = Detection(openly=True)
    options: OpenAIAudioOptions

    def __init__(self, options: OpenAIAudioOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        self._connection = Connection(
            policy,
            self._make_client,
            key=options.api_key.get_secret_value() if options.api_key else "",
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
        self._form: Answers = options.form
        self._unknown: set[str] = set()

    def _make_client(self, arguments: dict[str, Any]) -> Any:
        from openai import AsyncOpenAI

        return AsyncOpenAI(base_url=self.options.base_url, **arguments)

    async def open(self) -> None:
        """Make the guarded session and the client on it."""
        await self._connection.open()

    async def close(self) -> None:
        """Close both."""
        await self._connection.close()

    async def greet(self) -> str:
        """Ask for the models; servers without such a list are fine."""
        try:
            models = await self._connection.listed_models()
        except Refused as refused:
            raise error_of(refused.refusal) from None
        if models is None:
            return ""
        if models and self.options.model not in models:
            return f"The server does not list the model {self.options.model}."
        return f"{len(models)} models"

    async def submit(self, audio: AudioSource, request: Request) -> TranscriptData:
        """Send each channel apart, in pieces that the server takes."""
        try:
            return await self._sent(audio, request, self._form)
        except _OtherForm:
            # The server has refused the one that the pieces were cut for, so nothing was heard.
            return await self._sent(audio, request, self._form)

    async def _sent(self, audio: AudioSource, request: Request, form: Answers) -> TranscriptData:
        async with pieces_of(audio, self._plan(form)) as pieces:
            spoken = Spoken()
            segments = await recognised(pieces, lambda piece: self._recognise(piece, form, request.language, spoken))
        return TranscriptData(spoken.most or request.language, audio.duration_ms, self.options.model, segments)

    def _plan(self, form: Answers) -> CutPlan:
        codec = self.options.sent_as
        fits_s = self.options.largest_upload_mb * 1_000_000 // BYTES_PER_S[codec]
        longest = min(self.options.longest_piece_s, max(fits_s, 1)) * 1000
        return CutPlan(codec, SAMPLE_RATE, longest_ms=min(longest, PHRASE_MS) if form == "json" else longest)

    async def _recognise(self, piece: Piece, form: Answers, language: str, spoken: Spoken) -> Sequence[Segment]:
        for _try in range(MOST_TRIES):
            if form != self._form:
                # This recording, or another one at the same time, has learned that the server knows json alone.
                raise _OtherForm
            with piece.path.open("rb") as file:
                call = self._connection.client.audio.transcriptions.with_raw_response.create(
                    file=(piece.path.name, file.read(), piece.mime), **self._parameters(language)
                )
                try:
                    answer = await self._connection.asked(call)
                except Refused as refused:
                    if not self._learn(refused.refusal):
                        raise error_of(refused.refusal) from None
                    continue
            heard = _read(answer.content)
            spoken.note(tag_of(heard.language or ""), heard.text)
            return segments_of(heard, piece.end_ms - piece.start_ms)
        raise EngineError(ErrorClass.CONFIG, "The server refuses one setting after the other.", code="refused_settings")

    def _parameters(self, language: str) -> dict[str, Any]:
        given: dict[str, Any] = {"model": self.options.model, "response_format": self._form}
        if self._form == "verbose_json" and "timestamp_granularities" not in self._unknown:
            given["timestamp_granularities"] = ["word", "segment"]
        if self._form == "diarized_json":
            given["chunking_strategy"] = "auto"
        elif self.options.vocabulary:
            given["prompt"] = self.options.vocabulary
        if language:
            given["language"] = language.partition("-")[0].lower()
        return given

    def _learn(self, refusal: Refusal) -> bool:
        """Leave out what this server does not know; False when the refusal is about something else."""
        asked_words = self._form == "verbose_json" and "timestamp_granularities" not in self._unknown
        if asked_words and refusal.names("timestamp_granularities", "granularit"):
            self._unknown.add("timestamp_granularities")
            return True
        if self.options.answers == "auto" and self._form != "json" and refusal.names("response_format"):
            self._form = "json"
            return True
        return False


class CompatibleAudioEngine(OpenAIAudioEngine):
    """Servers that speak the same protocol, each with gaps of its own (providers §3.6)."""

    label = "OpenAI-compatible Speech to Text"
    options_type = CompatibleAudioOptions


def _read(body: bytes) -> Heard:
    data = loaded(body)
    try:
        return Heard.model_validate(data)
    except ValidationError as error:
        message = "The server's answer is no transcription."
        raise EngineError(ErrorClass.OUTPUT, message, code="invalid_answer") from error

"""The adapter: long recordings by way of a bucket as operations, or in pieces that are answered at once."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from core.audio.cutting import CutPlan, Piece
from core.outbound import OutboundPolicy, check_url
from core.outcomes import EngineError, ErrorClass
from core.transcripts import Segment, TranscriptData
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine, runs_again
from transcription.engines.google.answers import failure_of, language_of, note_languages, read_results, segments_of
from transcription.engines.google.client import Clients
from transcription.engines.google.options import GoogleOptions
from transcription.engines.google.requests import config_of, languages_of, recogniser_of
from transcription.engines.pieces import pieces_of, recognised
from transcription.engines.tags import Detection, Spoken

# What is sent with the request itself may be one minute long (providers §1.1).
PIECE_MS = 55_000
UPLOAD_CHUNK_BYTES = 8 * 1024 * 1024
# Between the operation's name and the object that is deleted with it.
MARK = "@"


class GoogleEngine(SpeechEngine):
    """v1p1beta1, v1 and v2, by the vendor's SDK."""

    label = "Google Cloud Speech-to-Text"
    options_type: ClassVar[type[GoogleOptions]] = GoogleOptions
    # Operations carry no reference of ours; the object has it as its name and is written over.
    keeps_references = False
    detects = Detection(openly=False, most=4)
    options: GoogleOptions

    def __init__(self, options: GoogleOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        self._google = Clients(options, policy)

    @classmethod
    def check_address(cls, options: GoogleOptions, policy: OutboundPolicy) -> None:
        """Judge both addresses; raises AddressRefused naming the field."""
        check_url(options.address, policy, field="endpoint")
        check_url(options.storage_endpoint, policy, field="storage_endpoint")

    @classmethod
    def detection(cls, options: GoogleOptions) -> Detection | None:
        """v1 takes no alternatives; v2 takes three languages in all, v1p1beta1 one and three alternatives (providers §1.2)."""
        if options.api_version == "v1":
            return None
        return Detection(openly=False, most=3) if options.api_version == "v2" else cls.detects

    async def open(self) -> None:
        """Make the clients."""
        await self._google.open()

    async def close(self) -> None:
        """Close their connections."""
        await self._google.close()

    async def greet(self) -> str:
        """Who signs; the bucket, where there is one."""
        if self.options.bucket:
            bucket = self._google.storage.bucket(self.options.bucket)
            there = await self._google.asked(partial(bucket.exists, timeout=self._timeout, retry=None))
            if not there:
                raise EngineError(ErrorClass.CONFIG, f"There is no bucket {self.options.bucket}.", code="no_bucket")
        return f"{self._google.key['project_id']}, {self._google.key['client_email']}"

    @property
    def _timeout(self) -> int:
        return self.options.request_timeout_s

    async def submit(self, audio: AudioSource, request: Request) -> Remote | TranscriptData:
        """By the bucket as one operation, or piece by piece when there is none."""
        diarized = self.options.diarize and audio.channels == 1
        if self.options.bucket:
            async with pieces_of(audio, CutPlan("flac", None, apart=False)) as [whole]:
                return await self._begin(whole, audio, request, diarized=diarized)
        async with pieces_of(audio, CutPlan("flac", None, longest_ms=PIECE_MS)) as pieces:
            spoken = Spoken()
            segments = await recognised(pieces, lambda piece: self._recognise(piece, request, spoken))
        return TranscriptData(spoken.most or request.language, audio.duration_ms, self.options.model, segments)

    async def _recognise(self, piece: Piece, request: Request, spoken: Spoken) -> Sequence[Segment]:
        speech, v2 = self._google.speech, self.options.api_version == "v2"
        languages = languages_of(self.options, request)
        config = config_of(speech, self.options, languages=languages, channels=1, diarized=False)
        content = await asyncio.to_thread(piece.path.read_bytes)
        if v2:
            asked = speech.RecognizeRequest(
                recognizer=recogniser_of(self.options, self._google.key), config=config, content=content
            )
        else:
            asked = speech.RecognizeRequest(config=config, audio=speech.RecognitionAudio(content=content))
        call = partial(self._google.client.recognize, asked, retry=None, timeout=self._timeout)
        heard = read_results(await self._google.asked(lambda: _plain(call())))
        note_languages(heard, spoken)
        return segments_of(heard, diarized=False)

    async def _begin(self, whole: Piece, audio: AudioSource, request: Request, *, diarized: bool) -> Remote:
        speech, key = self._google.speech, self._google.key
        name = f"{self.options.prefix}{request.reference}.flac"
        blob = self._google.storage.bucket(self.options.bucket).blob(name, chunk_size=UPLOAD_CHUNK_BYTES)
        upload = partial(blob.upload_from_filename, str(whole.path), content_type=whole.mime, timeout=self._timeout)
        await self._google.asked(partial(upload, retry=None))
        uri = f"gs://{self.options.bucket}/{name}"
        languages = languages_of(self.options, request)
        config = config_of(speech, self.options, languages=languages, channels=audio.channels, diarized=diarized)
        if self.options.api_version == "v2":
            asked = speech.BatchRecognizeRequest(
                recognizer=recogniser_of(self.options, key),
                config=config,
                files=[speech.BatchRecognizeFileMetadata(uri=uri)],
                recognition_output_config=speech.RecognitionOutputConfig(
                    inline_response_config=speech.InlineOutputConfig()
                ),
            )
            call = partial(self._google.client.batch_recognize, asked, retry=None, timeout=self._timeout)
        else:
            asked = speech.LongRunningRecognizeRequest(config=config, audio=speech.RecognitionAudio(uri=uri))
            call = partial(self._google.client.long_running_recognize, asked, retry=None, timeout=self._timeout)
        begun = await self._google.asked(lambda: call().operation.name)
        if not begun or MARK in begun:
            raise EngineError(ErrorClass.OUTPUT, "The service names no operation.", code="invalid_answer")
        return Remote(external_id=f"{begun}{MARK}{name}")

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the operation once."""
        operation = await self._operation(remote)
        if not operation.get("done"):
            return Pending(progress=_progress(operation))
        if "error" in operation:
            return Failed(_failure(operation["error"]))
        return Done()

    async def fetch(self, remote: Remote) -> TranscriptData:
        """The results are part of the operation."""
        operation = await self._operation(remote)
        if "error" in operation:
            raise _failure(operation["error"])
        if not operation.get("done"):
            raise runs_again()
        said = operation.get("response", {})
        diarized = self.options.diarize and not any(result.get("channelTag") for result in _all(said))
        if self.options.api_version == "v2":
            said = _inline(said)
        heard = read_results(said)
        return TranscriptData(language_of(heard), 0, self.options.model, tuple(segments_of(heard, diarized=diarized)))

    async def _operation(self, remote: Remote) -> dict[str, Any]:
        name = remote.external_id.partition(MARK)[0]
        call = partial(self._google.client.get_operation, {"name": name}, retry=None, timeout=self._timeout)
        operation = await self._google.asked(lambda: _plain(call()))
        if operation.get("name") != name:
            raise EngineError(ErrorClass.OUTPUT, "The service answered for another operation.", code="foreign_id")
        return operation

    async def cleanup(self, remote: Remote) -> None:
        """Delete the object and, in v2, the operation; both may be gone."""
        operation, _, name = remote.external_id.partition(MARK)
        if name:
            blob = self._google.storage.bucket(self.options.bucket).blob(name)
            await self._accepting_loss(partial(blob.delete, timeout=self._timeout, retry=None))
        if self.options.api_version == "v2":
            await self._accepting_loss(
                partial(self._google.client.delete_operation, {"name": operation}, retry=None, timeout=self._timeout)
            )

    async def _accepting_loss(self, call: Any) -> None:
        try:
            await self._google.asked(call)
        except EngineError as error:
            if error.error_class != ErrorClass.LOST:
                raise


def _plain(message: Any) -> dict[str, Any]:
    """A message of the SDK as JSON members; types that are not known raise TypeError."""
    from google.protobuf.json_format import MessageToDict

    plain: dict[str, Any] = MessageToDict(getattr(message, "_pb", message))
    return plain


def _progress(operation: dict[str, Any]) -> int | None:
    percent = operation.get("metadata", {}).get("progressPercent")
    return percent if isinstance(percent, int) and 0 <= percent <= 100 else None


def _failure(error: dict[str, Any]) -> EngineError:
    code = error.get("code")
    return failure_of(code if isinstance(code, int) else 2, str(error.get("message", ""))[:400])


def _all(said: dict[str, Any]) -> list[dict[str, Any]]:
    results = said.get("results", [])
    return results if isinstance(results, list) else []


def _inline(said: dict[str, Any]) -> dict[str, Any]:
    """v2: a map by the file's address, of which there is one."""
    files = list(said.get("results", {}).values())
    if len(files) != 1:
        raise EngineError(ErrorClass.OUTPUT, "The service's answer is about other files.", code="foreign_id")
    if error := files[0].get("error"):
        raise _failure(error)
    transcript: dict[str, Any] = files[0].get("inlineResult", {}).get("transcript", {})
    return transcript

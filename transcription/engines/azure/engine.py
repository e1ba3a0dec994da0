"""The adapter of Azure Speech to Text."""

from collections.abc import Collection, Mapping
from typing import Any

from core.outbound import OutboundPolicy, check_url
from core.transcripts import TranscriptData
from transcription.engines.azure.batch import API_VERSION, BatchTranscription
from transcription.engines.azure.fast import KEY_HEADER, FastTranscription
from transcription.engines.azure.options import MOST_CANDIDATES, AzureOptions
from transcription.engines.azure.streaming import Streaming
from transcription.engines.base import AudioSource, Done, Failed, Pending, Remote, Request, SpeechEngine
from transcription.engines.rest import Rest
from transcription.engines.tags import Detection


class AzureEngine(SpeechEngine):
    """By the method that is set. Jobs of batch are followed to their end when the method has been changed."""

    label = "Microsoft Azure Speech to Text"
    options_type = AzureOptions
    detects = Detection(openly=False, most=MOST_CANDIDATES + 1)
    options: AzureOptions

    def __init__(self, options: AzureOptions, policy: OutboundPolicy) -> None:
        super().__init__(options, policy)
        key = options.api_key.get_secret_value() if options.api_key else ""
        self._rest = Rest(
            policy,
            base=f"{options.address}/speechtotext",
            headers={KEY_HEADER: key} if key else {},
            secrets=[key],
            verify_tls=options.ssl_verify,
            timeout_s=options.request_timeout_s,
            reader=problem_of,
        )
        self.has_jobs = self.keeps_references = options.method == "batch"
        self.fetches = options.method == "batch" and options.hand_over == "link"
        self._batch = BatchTranscription(options, policy, self._rest)
        self._streaming = Streaming(options, policy, self._rest)
        self._fast = FastTranscription(options, policy, self._rest)

    @classmethod
    def check_address(cls, options: AzureOptions, policy: OutboundPolicy) -> None:
        """Judge the addresses of the service and of storage; raises AddressRefused naming the field."""
        address = options.streaming_address if options.method == "sdk" else options.address
        check_url(address, policy, field="endpoint" if options.endpoint else "region")
        if options.method == "batch" and options.hand_over == "blob":
            field = "storage_endpoint" if options.storage_endpoint else "storage_account"
            check_url(options.storage_address, policy, field=field)

    @classmethod
    def detection(cls, options: AzureOptions) -> Detection | None:
        """The SDK's method takes the candidates of the engine alone."""
        return cls.detects if options.method in {"fast", "batch"} else None

    async def open(self) -> None:
        """Make the clients."""
        await self._rest.open()
        await self._batch.open()
        if self.options.method == "fast":
            await self._fast.open()
        if self.options.method == "sdk":
            await self._streaming.open()

    async def close(self) -> None:
        """Close their connections."""
        await self._rest.close()
        await self._fast.close()
        await self._streaming.close()
        await self._batch.close()

    async def greet(self) -> str:
        """Ask for the languages of the service; for batch by a blob, also for the container. The SDK has nothing cheap to ask."""
        if self.options.method == "sdk":
            return self.options.streaming_address
        await self._rest.call("GET", f"/transcriptions/locales?api-version={API_VERSION}")
        if self.options.method == "batch" and not self.fetches:
            await self._batch.storage.greet()
        return self.options.address

    async def submit(self, audio: AudioSource, request: Request) -> Remote | TranscriptData:
        """Send the recording, or hand it over and begin a job."""
        if self.options.method == "batch":
            return await self._batch.submit(audio, request)
        method = self._streaming if self.options.method == "sdk" else self._fast
        return await method.transcribe(audio, request)

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """GET the job once."""
        return await self._batch.poll(remote)

    async def fetch(self, remote: Remote) -> TranscriptData:
        """The result of a job; one that succeeded with a failed recording is a failure."""
        return await self._batch.fetch(remote)

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """Jobs of batch."""
        return await self._batch.find(references) if self.has_jobs else {}

    async def cleanup(self, remote: Remote) -> None:
        """Delete job, results and blob, if there is one."""
        await self._batch.cleanup(remote)


def problem_of(problem: Mapping[str, Any]) -> tuple[Any, Any]:
    """Code and words in both shapes: the gateway's and the service's; the inner error says more."""
    error = problem.get("error", problem)
    error = error if isinstance(error, Mapping) else {}
    inner = error.get("innerError")
    inner = inner if isinstance(inner, Mapping) else error
    return inner.get("code", error.get("code")), inner.get("message", error.get("message"))

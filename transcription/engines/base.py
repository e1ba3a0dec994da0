"""What every speech engine offers, in our own frozen types (architecture §5, providers 0.B)."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from core.engines import EngineOptions, Step
from core.outbound import OutboundPolicy, check_url
from core.outcomes import EngineError, ErrorClass
from core.transcripts import TranscriptData
from transcription.engines.tags import Detection, Wanted, ours_of, theirs_of

TEST_CHECKS = 60
TEST_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class AudioSource:
    """Audio to be recognised. ``open`` gives its bytes in pieces; it may block and is called in a thread.

    ``link`` gives the path on this platform under which the provider may fetch it, for engines that ``fetch``.
    """

    name: str
    mime: str
    size: int
    duration_ms: int
    channels: int
    open: Callable[[], Iterator[bytes]]
    link: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What one submission asks for. ``reference`` is ours and the same for every try of one generation.

    Languages are the engine's names. Without a ``language`` the engine finds it out, among ``candidates`` if there are any.
    """

    language: str
    reference: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remote:
    """The handle of a job at the provider. ``check_after_s`` is the provider's hint, in seconds."""

    external_id: str
    check_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider is still working; ``progress`` is a percentage or None."""

    check_after_s: float | None = None
    progress: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The result can be fetched."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider gave up on the job."""

    error: EngineError


class SpeechEngine(ABC):
    """An adapter. Every verb raises EngineError and nothing else; ``open`` and ``close`` bracket their use."""

    label: ClassVar[str]
    # False: the answer to ``submit`` is the transcript; there is no job at the provider that could be asked for.
    # Where the settings decide, an engine says so itself.
    has_jobs: bool = True
    # False: the provider keeps no reference of ours with a job, so that ``find`` finds none.
    keeps_references: bool = True
    # True: the provider fetches recordings from this platform, by ``AudioSource.link``.
    fetches: bool = False
    options_type: ClassVar[type[EngineOptions]]
    # The language tags that engines of this type recognise ("he" stands for all of Hebrew); None: not told beforehand.
    languages: ClassVar[frozenset[str] | None] = None
    # How engines of this type find a language out by themselves; None: they cannot.
    detects: ClassVar[Detection | None] = None
    options: Any

    def __init__(self, options: Any, policy: OutboundPolicy) -> None:
        self.options = options
        self.policy = policy

    @classmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """Judge the addresses in ``options`` at save time. Raises AddressRefused naming the field."""
        for name in options.address_names():
            check_url(getattr(options, name), policy, field=name)

    @classmethod
    def detection(cls, options: Any) -> Detection | None:
        """``detects``, unless these settings say otherwise."""
        return cls.detects

    def request(self, wanted: Wanted, reference: str) -> Request:
        """What to submit, with the engine's own names of languages: nothing else translates them."""
        pairs = self.options.names_of_languages
        theirs = tuple(theirs_of(pairs, tag) for tag in wanted.candidates)
        return Request(theirs_of(pairs, wanted.language), reference, theirs)

    def in_our_words(self, transcript: TranscriptData, wanted: Wanted) -> TranscriptData:
        """The transcript with our tag of its language; what was asked for where the engine says nothing."""
        return replace(transcript, language=ours_of(self.options.names_of_languages, transcript.language, wanted))

    @property
    def concurrency(self) -> int:
        """How many calls may run at a time: the setting "Requests at a time"."""
        return int(self.options.concurrency)

    @abstractmethod
    async def open(self) -> None:
        """Make the connections, inside the event loop."""

    @abstractmethod
    async def close(self) -> None:
        """Close them; twice is fine."""

    @abstractmethod
    async def submit(self, audio: AudioSource, request: Request) -> Remote | TranscriptData:
        """Hand over the audio. The same reference twice must not make two jobs where the provider can tell (R7).

        Gives the transcript where the provider answers with it.
        """

    @abstractmethod
    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """Ask once."""

    @abstractmethod
    async def fetch(self, remote: Remote) -> TranscriptData:
        """Fetch the finished result."""

    @abstractmethod
    async def greet(self) -> str:
        """The first step of Test Connection: ask the provider something cheap; what it said, for people."""

    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """The jobs that the provider has under these references of ours, for an upload whose answer was lost.

        None where the provider keeps no references: such jobs go when their time to live is over.
        """
        return {}

    @abstractmethod
    async def cleanup(self, remote: Remote) -> None:
        """Delete the job, its audio and its result at the provider; twice is fine."""

    async def check(self, sample: AudioSource) -> AsyncIterator[Step]:
        """Test Connection (domain T10, providers 4.3): yields each step as it begins and as it ends. What was made is deleted.

        Raises EngineError in the step that failed; what cannot be deleted fails the last one.
        """
        steps = _Steps()
        yield steps.begun("settings", 0)
        yield steps.done("settings", 25, await self.greet())
        yield steps.begun("upload", 25)
        remote = await self.submit(sample, self.request(Wanted("en-US"), f"test-{time.time_ns()}"))
        if isinstance(remote, TranscriptData):
            for step in steps.answered(remote):
                yield step
            return
        try:
            yield steps.done("upload", 50, remote.external_id)
            yield steps.begun("wait", 50)
            transcript = await self._wait_for_test(remote)
        except Exception:
            # Why the test failed is worth more than why its job could not be deleted.
            with suppress(EngineError):
                await self.cleanup(remote)
            raise
        yield steps.done("wait", 75, text=_text_of(transcript))
        yield steps.begun("cleanup", 75)
        await self.cleanup(remote)
        yield steps.done("cleanup", 100)

    async def _wait_for_test(self, remote: Remote) -> TranscriptData:
        for _attempt in range(TEST_CHECKS):
            state = await self.poll(remote)
            if isinstance(state, Done):
                return await self.fetch(remote)
            if isinstance(state, Failed):
                raise state.error
            await asyncio.sleep(TEST_INTERVAL_S)
        raise EngineError(ErrorClass.TRANSIENT, f"No result after {TEST_CHECKS} seconds.", code="timeout")


class AnsweringEngine(SpeechEngine):
    """An engine whose provider answers an upload with the transcript: no jobs, nothing to clean up."""

    has_jobs = False
    keeps_references = False

    @abstractmethod
    async def submit(self, audio: AudioSource, request: Request) -> TranscriptData:
        """Upload and wait for the transcript."""

    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """There are no jobs: what another engine type left here is lost."""
        raise _no_jobs()

    async def fetch(self, remote: Remote) -> TranscriptData:
        """As ``poll``."""
        raise _no_jobs()

    async def cleanup(self, remote: Remote) -> None:
        """Nothing was left."""


class _Steps:
    """Steps of Test Connection with the milliseconds of each."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._since = time.monotonic()

    def begun(self, key: str, progress: int) -> Step:
        self.begin()
        return Step(key, "running", progress)

    def done(self, key: str, progress: int, detail: str = "", text: str = "") -> Step:
        return Step(key, "ok", progress, detail, round((time.monotonic() - self._since) * 1000), text)

    def answered(self, transcript: TranscriptData) -> Iterator[Step]:
        """The steps after an upload that was answered with the transcript: the time is that of the answer (providers 4.3)."""
        yield Step("upload", "ok", 50, "Sent with request")
        yield self.done("wait", 75, text=_text_of(transcript))
        yield Step("cleanup", "ok", 100, "Nothing to delete")


def runs_again() -> EngineError:
    """For ``fetch``: the job was done, and is not any more. It is asked for again; nothing is stored of it."""
    return EngineError(
        ErrorClass.TRANSIENT, "The server said that the job is done, and then that it is not.", code="not_ready"
    )


def _text_of(transcript: TranscriptData) -> str:
    return " ".join(segment.text for segment in transcript.segments)


def _no_jobs() -> EngineError:
    return EngineError(ErrorClass.LOST, "Engines of this type have no jobs at the provider.", code="no_jobs")

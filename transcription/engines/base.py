"""What every speech engine offers, in our own frozen types (architecture §5, providers 0.B)."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from core.engines import EngineOptions, Step
from core.outbound import OutboundPolicy
from core.outcomes import EngineError
from core.transcripts import TranscriptData


@dataclass(frozen=True, slots=True)
class AudioSource:
    """Audio to be recognised. ``open`` gives its bytes in pieces; it may block and is called in a thread."""

    name: str
    mime: str
    size: int
    duration_ms: int
    channels: int
    open: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """What one submission asks for. ``reference`` is ours and the same for every try of one generation."""

    language: str
    reference: str


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
    options_type: ClassVar[type[EngineOptions]]

    def __init__(self, options: Any, policy: OutboundPolicy) -> None:
        self.options = options
        self.policy = policy

    @classmethod
    @abstractmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """Judge the addresses in ``options`` at save time. Raises AddressRefused."""

    @property
    @abstractmethod
    def concurrency(self) -> int:
        """How many calls may run at a time."""

    @abstractmethod
    async def open(self) -> None:
        """Make the connections, inside the event loop."""

    @abstractmethod
    async def close(self) -> None:
        """Close them; twice is fine."""

    @abstractmethod
    async def submit(self, audio: AudioSource, request: Request) -> Remote:
        """Hand over the audio. The same reference twice must not make two jobs where the provider can tell (R7)."""

    @abstractmethod
    async def poll(self, remote: Remote) -> Pending | Done | Failed:
        """Ask once."""

    @abstractmethod
    async def fetch(self, remote: Remote) -> TranscriptData:
        """Fetch the finished result."""

    @abstractmethod
    async def find(self, references: Collection[str]) -> dict[str, list[Remote]]:
        """The jobs that the provider has under these references of ours, for an upload whose answer was lost.

        A provider that cannot be asked for a reference finds none: such jobs go when their time to live is over.
        """

    @abstractmethod
    async def cleanup(self, remote: Remote) -> None:
        """Delete the job, its audio and its result at the provider; twice is fine."""

    @abstractmethod
    def check(self, sample: AudioSource) -> AsyncIterator[Step]:
        """Test Connection: yields each step as it begins and as it ends (domain T10, providers 4.3)."""

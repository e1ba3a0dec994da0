"""What every AI engine offers, in our own frozen types (architecture §5, providers §6)."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from aiassistant.engines.capabilities import Capabilities
from core.engines import EngineOptions, Step
from core.openai.limits import Limits
from core.outbound import OutboundPolicy
from core.outcomes import EngineError, ErrorClass

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class OutputType(StrEnum):
    """What one output of a task holds (providers §6.1)."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    NUMBER = "number"
    SCORE = "score"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Output:
    """One output attribute of a task.

    ``minimum`` and ``maximum`` bound numbers, ``places`` is how many digits a number may have behind the point (None: any;
    0: a whole number), ``max_length`` is in characters, ``explanation`` and ``evidence`` ask for
    a reason and for quotes beside the value. ``rule`` tells an engine without a language model how to answer:
    ``{"skill": NAME, …}``, see ``aiassistant.engines.offline.rules``; language models never see it.
    """

    name: str
    type: OutputType
    description: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    places: int | None = None
    max_length: int | None = None
    nullable: bool = False
    explanation: bool = False
    evidence: bool = False
    rule: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt. Instructions stand in ``system`` messages only."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one party said or wrote: the source that a prompt is about. ``speaker`` is agent, customer or empty."""

    text: str
    speaker: str = ""
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request.

    ``messages`` are for language models; ``source`` is the bare conversation for engines that read it themselves.
    ``schema`` is the strict schema of ``outputs`` (``engines.schemas.strict_schema``); without one the answer is text.
    ``expected_tokens`` is the calibrated estimate of the messages: an engine that reports far fewer has cut them.
    ``max_output_tokens`` and ``temperature`` replace the engine's own. ``reasoning`` is the effort (low, medium, high) that
    is asked of models that reason, empty for their own. ``reference`` is ours and never text.
    """

    messages: tuple[Message, ...]
    outputs: tuple[Output, ...] = ()
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    source: tuple[Turn, ...] = ()
    language: str = ""
    max_output_tokens: int | None = None
    temperature: float | None = None
    reasoning: str = ""
    expected_tokens: int | None = None
    reference: str = ""


class Finish(StrEnum):
    """How an answer ended. ``length`` was cut at the cap; ``refused`` and ``filtered`` are never repaired."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. ``cached`` is part of ``prompt``, ``reasoning`` part of ``completion``.

    ``estimated`` is true where the engine did not say.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer.

    ``values`` is the object that was found in the answer when a schema was asked for and one could be read, not yet
    checked against the schema; ``text`` is the answer as it came. ``raw`` is the provider's whole answer for support.
    ``capabilities`` is what the engine is known to do after this request: store it when it differs.
    """

    text: str
    values: Mapping[str, Any] | None
    usage: Usage
    finish: Finish = Finish.STOP
    model: str = ""
    request_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    capabilities: Capabilities = field(default_factory=Capabilities)


class ContextOverflow(EngineError):
    """The messages are longer than the engine takes, or it has cut them silently (INPUT, code context_overflow).

    ``window`` is the size it names in tokens, or None; ``usage`` is what a silent cut has cost already.
    """

    def __init__(self, message: str, *, window: int | None = None, usage: Usage | None = None) -> None:
        super().__init__(ErrorClass.INPUT, message, code="context_overflow")
        self.window = window
        self.usage = usage


class AIEngine(ABC):
    """An adapter. Every verb raises EngineError and nothing else; ``open`` and ``close`` bracket their use."""

    label: ClassVar[str]
    options_type: ClassVar[type[EngineOptions]]
    # Without a language model ``messages`` are not read: such an engine answers from ``source`` by the rules of outputs.
    reads_messages: ClassVar[bool] = True

    def __init__(self, options: Any, policy: OutboundPolicy, capabilities: Capabilities | None = None) -> None:
        self.options = options
        self.policy = policy
        self.capabilities = capabilities or Capabilities()

    @classmethod
    @abstractmethod
    def check_address(cls, options: Any, policy: OutboundPolicy) -> None:
        """Judge the addresses in ``options`` at save time. Raises AddressRefused."""

    @classmethod
    def unanswerable(cls, outputs: Sequence[Output]) -> dict[str, str]:
        """By name of an output why this type of engine cannot answer it; asked when a task is saved."""
        return {}

    @property
    @abstractmethod
    def concurrency(self) -> int:
        """How many calls may run at a time."""

    @property
    def per_minute(self) -> tuple[int | None, int | None]:
        """How many requests and tokens it takes within a minute; None without a limit."""
        return None, None

    @property
    @abstractmethod
    def model(self) -> str:
        """The name of the model, for provenance and prices."""

    @property
    @abstractmethod
    def window(self) -> int:
        """The context window in tokens: prompt and answer together."""

    @property
    @abstractmethod
    def max_output_tokens(self) -> int:
        """The cap of an answer in tokens."""

    @abstractmethod
    async def open(self) -> None:
        """Make the connections, inside the event loop."""

    @abstractmethod
    async def close(self) -> None:
        """Close them; twice is fine."""

    @abstractmethod
    async def complete(self, prompt: Prompt) -> Completion:
        """Ask once. Raises ContextOverflow when the prompt does not fit.

        A refusal is an answer (``finish``). The settings that a server turns out not to know are left out, and
        what was learned is in ``Completion.capabilities``; only such requests, which cost nothing, are repeated.
        """

    async def count_tokens(self, prompt: Prompt) -> int | None:
        """The exact size of the messages by the server, or None when it cannot say."""
        return None

    @abstractmethod
    def check(self) -> AsyncIterator[Step]:
        """Test Connection: yields each step as it begins and as it ends; ``self.capabilities`` is what was found."""

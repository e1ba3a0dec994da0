"""A task as the pipeline reads it: frozen, without Django and without a database (providers §6.1)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from aiassistant.engines.base import Output as Asked
from conversations.fields.deciding import Overwrite
from customfields.typed import Definition


class AppliesTo(StrEnum):
    """Which conversations a task is for: those with a transcript, those that were written, or both."""

    ANY = "any"
    VOICE = "voice"
    TEXT = "text"


class Overflow(StrEnum):
    """What is done with a conversation that is longer than the engine's window (providers §6.3)."""

    MAP_REDUCE = "map_reduce"
    HEAD_TAIL = "head_tail"
    FAIL = "fail"


class Reasoning(StrEnum):
    """How much a model that can reason is asked to; others are not told."""

    DEFAULT = ""
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Asked):
    """One output attribute and the custom field that holds it.

    ``field_id`` is None for one that is only passed on to later tasks or shown with the execution. ``field`` judges its
    values (``customfields.typed.coerce``) and is None with it, or when the field was deleted since: then nothing is stored.
    """

    field_id: int | None = None
    field: Definition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Settings of the request; None leaves the engine's own."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    reasoning: Reasoning = Reasoning.DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The rails of one task.

    A call shorter than ``min_duration_s`` seconds, or a conversation of fewer than ``min_words`` words, is not worth the
    money and is skipped (domain A6). ``request_timeout_s`` bounds one request, ``conversation_timeout_s`` all that are
    made for one conversation, ``max_requests`` their number (map-reduce), ``max_executions`` how often one
    conversation may be asked again within a day.
    """

    min_duration_s: int = 15
    min_words: int = 20
    request_timeout_s: int = 60
    conversation_timeout_s: int = 300
    max_requests: int = 40
    max_executions: int = 10


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """One task for one tenant: of the library, of the library with the tenant's override, or the tenant's own.

    ``version_id`` names the immutable version, also where a tenant overrides (an override is a version of its own).
    ``filters`` are clauses of ``jobs.filters`` over ``aiassistant.facts``; all must be met. ``engine_id`` None leaves the
    choice to job, tenant and system (``choosing``); ``model`` replaces the engine's where it is not empty.
    """

    task_id: int
    key: str
    version_id: int
    number: int
    title: str
    applies_to: AppliesTo
    system_template: str
    user_template: str
    outputs: tuple[Output, ...]
    params: Params = field(default_factory=Params)
    filters: tuple[Mapping[str, Any], ...] = ()
    limits: Limits = field(default_factory=Limits)
    overflow: Overflow = Overflow.MAP_REDUCE
    overwrite: Overwrite = Overwrite.IF_NOT_EDITED
    engine_id: int | None = None
    model: str = ""
    overridden: bool = False

    @cached_property
    def prompt_hash(self) -> str:
        """SHA-256 of what is asked: templates and outputs as engines see them, but not of whom, nor with which engine."""
        asked = [asdict(replace(output, field=None, field_id=None)) for output in self.outputs]
        text = json.dumps([self.system_template, self.user_template, asked], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def label(self) -> str:
        """Title and version, for people: the provenance of values."""
        return f"{self.title} v{self.number}"

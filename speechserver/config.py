"""The ``config`` part of an upload: strict, every unknown field is refused by name."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from speechserver.problems import FieldError, Problem, invalid

MAX_CONFIG_BYTES = 64 * 1024
MAX_TTL_HOURS = 24 * 30

LanguageTag = Annotated[
    str, StringConstraints(pattern=re.compile(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"), max_length=35)
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Speakers(_Strict):
    """Bounds for the number of speakers, both inclusive."""

    min: Annotated[int, Field(ge=1, le=100)] | None = None
    max: Annotated[int, Field(ge=1, le=100)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Speakers":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self


class TranscriptionConfig(_Strict):
    """What a client asks of one transcription; times to live are in hours from creation."""

    language: LanguageTag | None = None
    languageCandidates: Annotated[list[LanguageTag], Field(max_length=20)] = []
    model: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    punctuate: bool = True
    words: bool = True
    diarize: bool = False
    speakers: Speakers = Speakers()
    channels: Literal["separate", "mix"] = "separate"
    profanity: Literal["keep"] = "keep"
    phrases: Annotated[list[Annotated[str, StringConstraints(max_length=100)]], Field(max_length=500)] = []
    callbackUrl: str | None = None
    ttlHours: Annotated[float, Field(gt=0, le=MAX_TTL_HOURS)] = 24
    metadata: dict[str, str | int | float | bool | None] = {}

    @field_validator("callbackUrl")
    @classmethod
    def _no_callback(cls, value: str | None) -> str | None:
        # Polling is the contract; a server that never calls out cannot be used to reach inside a network.
        if value is not None:
            raise ValueError("this server does not send callbacks; poll the job instead")
        return value

    @field_validator("metadata")
    @classmethod
    def _small(cls, value: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) > 4096:
            raise ValueError("must be at most 4096 bytes as JSON")
        return value

    @property
    def ref(self) -> str | None:
        """The caller's own reference, ``metadata.ref``, as it goes to the journal."""
        ref = self.metadata.get("ref")
        return None if ref is None else str(ref)


def parse_config(raw: bytes) -> TranscriptionConfig:
    """Read the JSON of a ``config`` part.

    Raises ``Problem`` (400 ``invalid_request``) naming every refused field, for unknown or duplicate keys, NaN,
    broken text and wrong types alike.
    """
    if len(raw) > MAX_CONFIG_BYTES:
        raise invalid("config", f"must be at most {MAX_CONFIG_BYTES} bytes")
    try:
        data = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise invalid("config", "is nested too deeply") from None
    except UnicodeError:
        raise invalid("config", "must be valid UTF-8 text") from None
    except ValueError as error:
        raise invalid("config", f"is not valid JSON: {error}"[:200]) from None
    if not isinstance(data, dict):
        raise invalid("config", "must be a JSON object")
    try:
        return TranscriptionConfig.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)[:20]
        # One value of metadata breaks the rule of each type it might have had; that is one error to the caller.
        errors = list({_name(item["loc"]): FieldError(_name(item["loc"]), _rule(item)) for item in found}.values())
        raise Problem("invalid_request", f"{errors[0].field}: {errors[0].message}", errors=errors) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    if any("\x00" in text for pair in pairs for text in pair if isinstance(text, str)):
        raise ValueError("a text contains NUL")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _name(loc: tuple[int | str, ...]) -> str:
    shown = loc[:2] if loc[:1] == ("metadata",) else loc
    return ".".join(["config", *(str(part)[:60] for part in shown)])


def _rule(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown field"
    if item["loc"][:1] == ("metadata",) and len(item["loc"]) > 1:
        return "must be a text, a number, true, false or null"
    return str(item["msg"]).removeprefix("Value error, ")

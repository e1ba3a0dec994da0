"""Settings that engines of every type have: names of languages, and what recordings the engine is meant for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from core.engines import EngineOptions
from transcription.engines.tags import canonical, pairs_of, recognises


class SpeechOptions(EngineOptions):
    """How the engine calls languages where that differs from our tags, and for which recordings jobs take it (ADR 0022)."""

    language_map: str = Field(
        default="",
        max_length=1000,
        title="Names of languages",
        description="Where the engine has another name for a language than its tag: he-IL=iw-IL, en=en-GB. "
        "A language without a region stands for all of its regions.",
        json_schema_extra={"advanced": True},
    )

    meant_languages: str = Field(
        default="",
        max_length=300,
        title="Meant for languages",
        description="Such as he, ar-IL: jobs with further engines give others to the next. Blank: for all, also unknown ones.",
        json_schema_extra={"advanced": True},
    )
    meant_from_s: int | None = Field(
        default=None,
        ge=0,
        le=86_400,
        title="Meant for recordings from (seconds)",
        description="Blank: from the shortest.",
    )
    meant_to_s: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        title="Meant for recordings up to (seconds)",
        description="Blank: to the longest. Both ends belong to it.",
    )

    @field_validator("meant_languages")
    @classmethod
    def _tags(cls, value: str) -> str:
        tags = [tag.strip() for tag in value.split(",") if tag.strip()]
        for tag in tags:
            if not canonical(tag):
                raise ValueError(f"“{tag[:40]}” is no language tag, such as he or ar-IL.")
        return ", ".join(dict.fromkeys(canonical(tag) for tag in tags))

    @field_validator("meant_to_s")
    @classmethod
    def _not_before(cls, value: int | None, info: ValidationInfo) -> int | None:
        shortest = info.data.get("meant_from_s")
        if value is not None and shortest is not None and value < shortest:
            raise ValueError("The longest recording cannot be shorter than the shortest.")
        return value

    @field_validator("language_map")
    @classmethod
    def _pairs(cls, value: str) -> str:
        return ", ".join(f"{ours}={theirs}" for ours, theirs in pairs_of(value).items())

    @property
    def names_of_languages(self) -> dict[str, str]:
        """The engine's names by our tags."""
        return pairs_of(self.language_map)


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides which engine a recording is for: its language, empty where that is not known, and whole seconds."""

    language: str
    seconds: int


def meant_for(settings: Mapping[str, Any], traits: Traits) -> bool:
    """Whether an engine with these stored settings is meant for such recordings. Of an unknown language only one for all is."""
    tags = str(settings.get("meant_languages") or "")
    if tags and not (traits.language and recognises(tags.split(", "), traits.language)):
        return False
    shortest, longest = settings.get("meant_from_s"), settings.get("meant_to_s")
    return (shortest is None or traits.seconds >= shortest) and (longest is None or traits.seconds <= longest)

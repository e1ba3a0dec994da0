"""How Speechmatics judges what it is asked for (JobConfig of the vendor's API reference)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_LISTED = (
    "ar ba be bg bn ca cmn cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu ia id it ja ko lt lv mn mr ms mt "
    "nl no pl pt ro ru sk sl sv sw ta th tl tr ug uk ur vi yue auto ar_en cmn_en cmn_en_ms_ta en_ms en_ta"
)
LANGUAGES = frozenset(_LISTED.split())


class Strict(BaseModel):
    """Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Overrides(Strict):
    """Which marks of punctuation are written."""

    permitted_marks: list[str] | None = None
    sensitivity: Annotated[float, Field(ge=0, le=1)] | None = None


class TranscriptionConfig(Strict):
    """The part of the schema that callers of ours may use."""

    language: str
    domain: str | None = None
    output_locale: str | None = None
    model: Literal["enhanced", "standard", "melia-1"] | None = None
    operating_point: Literal["enhanced", "standard"] | None = None
    diarization: Literal["none", "speaker", "channel"] | None = None
    channel_diarization_labels: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._]+$")]] | None = None
    punctuation_overrides: Overrides | None = None

    @model_validator(mode="after")
    def _judged(self) -> "TranscriptionConfig":
        # That this is refused at once, and with these words, is an assumption.
        if self.language not in LANGUAGES:
            raise ValueError(f"language pack {self.language} is not available")
        if self.model and self.operating_point:
            raise ValueError("model and operating_point are the same setting")
        return self


class Tracking(Strict):
    """What the caller wants to find again."""

    title: str | None = None
    reference: str | None = None
    tags: list[str] | None = None
    details: dict[str, object] | None = None


class Identification(Strict):
    """Which languages are expected where the language is ``auto``."""

    expected_languages: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _judged(self) -> "Identification":
        for language in self.expected_languages or []:
            if language not in LANGUAGES - {"auto"}:
                raise ValueError(f"expected language {language} is not available")
        return self


class JobConfig(Strict):
    """What is in the field ``config``."""

    type: Literal["transcription"]
    transcription_config: TranscriptionConfig
    tracking: Tracking | None = None
    language_identification_config: Identification | None = None

    def heard(self, spoken: str) -> str:
        """The language of the transcript of a recording in which ``spoken`` is what detection finds."""
        asked = self.transcription_config.language
        named = self.language_identification_config and self.language_identification_config.expected_languages
        if asked != "auto":
            return asked.partition("_")[0]
        return spoken if not named or spoken in named else named[0]


class Listing(BaseModel):
    """The query of a list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 100
    created_before: str = "9999"
    include_deleted: bool = False


def told(error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"

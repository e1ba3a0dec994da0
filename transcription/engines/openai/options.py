"""Settings of OpenAI's audio transcriptions and of compatible servers (providers §3.1, §3.6)."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from core.openai.settings import plain_address, printable_key
from transcription.engines.options import SpeechOptions

Answers = Literal["verbose_json", "json", "diarized_json"]


class OpenAIAudioOptions(SpeechOptions):
    """The vendor's own service. Times in seconds, sizes in megabytes of 10^6 bytes."""

    base_url: str = Field(
        default="https://api.openai.com/v1", title="Address", max_length=300, description="With the version: …/v1"
    )
    api_key: SecretStr | None = Field(default=None, title="API key")
    model: str = Field(
        default="whisper-1",
        title="Model",
        min_length=1,
        max_length=120,
        description="whisper-1 gives the time of each word; gpt-4o models the time of each phrase.",
    )
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")
    answers: Literal["auto", "verbose_json", "json", "diarized_json"] = Field(
        default="auto",
        title="Form of answers",
        description="Auto: by the model. json has no times: recordings are sent phrase by phrase.",
    )
    vocabulary: str = Field(
        default="", max_length=800, title="Vocabulary", description="Names and terms, sent as the prompt."
    )
    sent_as: Literal["ogg", "flac", "wav"] = Field(
        default="ogg", title="Audio sent as", description="Each channel apart, at 16 kHz. ogg (Opus) is the smallest."
    )
    largest_upload_mb: int = Field(default=25, ge=1, le=1000, title="Largest upload (MB)")
    longest_piece_s: int = Field(
        default=1200,
        ge=10,
        le=14_400,
        title="Longest piece (seconds)",
        description="Longer recordings are cut in silence.",
    )
    request_timeout_s: int = Field(default=300, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

    @classmethod
    def address_names(cls) -> list[str]:
        """The address."""
        return ["base_url"]

    @field_validator("base_url")
    @classmethod
    def _plain(cls, value: str) -> str:
        return plain_address(value)

    @field_validator("api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        return printable_key(value)

    @property
    def form(self) -> Answers:
        """The form of answers that the model knows and that says most (providers §3.1)."""
        if self.answers != "auto":
            return self.answers
        if self.model.endswith("-diarize"):
            return "diarized_json"
        return "json" if self.model.startswith("gpt-") else "verbose_json"


class CompatibleAudioOptions(OpenAIAudioOptions):
    """speaches, vLLM, LocalAI and others; most ask for no key."""

    base_url: str = Field(
        title="Address", max_length=300, description="With the version, for example http://10.0.0.5:8000/v1"
    )
    model: str = Field(title="Model", min_length=1, max_length=120, description="As the server names it.")
    longest_piece_s: int = Field(
        default=600,
        ge=10,
        le=14_400,
        title="Longest piece (seconds)",
        description="Longer recordings are cut in silence. Some servers refuse more than ten minutes.",
    )

"""Settings of OpenAI, Azure OpenAI and compatible servers."""

import re
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from core.engines import EngineOptions
from core.openai.settings import plain_address, printable_key

_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")


class ModelOptions(EngineOptions):
    """What all have in common; times in seconds, sizes in tokens."""

    model: str = Field(title="Model", min_length=1, max_length=120, description="As the server names it.")
    api: Literal["chat", "responses"] = Field(
        default="chat", title="Interface", description="Chat Completions is known to every server."
    )
    structured: Literal["auto", "json_schema", "json_object", "text"] = Field(
        default="auto",
        title="Structured answers",
        description="Auto begins with a strict schema and remembers what the server refuses.",
    )
    context_window: int = Field(default=128_000, ge=1024, le=4_000_000, title="Context window (tokens)")
    max_output_tokens: int = Field(default=2048, ge=16, le=200_000, title="Longest answer (tokens)")
    temperature: float | None = Field(
        default=None, ge=0, le=2, title="Temperature", description="Blank: as the model has it. Some models allow none."
    )
    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000, title="Requests per minute")
    tokens_per_minute: int | None = Field(default=None, ge=1, le=1_000_000_000, title="Tokens per minute")
    request_timeout_s: int = Field(default=120, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

    @field_validator("api_key", check_fields=False)
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        return printable_key(value)

    @field_validator("max_output_tokens")
    @classmethod
    def _answer_fits(cls, value: int, info: ValidationInfo) -> int:
        if value >= info.data.get("context_window", value + 1):
            raise ValueError("The longest answer must be shorter than the context window.")
        return value


class OpenAIOptions(ModelOptions):
    """The vendor's own service."""

    api_key: SecretStr | None = Field(default=None, title="API key")
    base_url: str = Field(
        default="https://api.openai.com/v1", title="Address", max_length=300, description="With the version: …/v1"
    )
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")

    @classmethod
    def address_names(cls) -> list[str]:
        """The address."""
        return ["base_url"]

    @field_validator("base_url")
    @classmethod
    def _plain(cls, value: str) -> str:
        return plain_address(value)


class CompatibleOptions(OpenAIOptions):
    """vLLM, llama.cpp, Ollama and others; most ask for no key."""

    base_url: str = Field(
        title="Address", max_length=300, description="With the version, for example http://10.0.0.5:8000/v1"
    )
    context_window: int = Field(
        default=4096,
        ge=1024,
        le=4_000_000,
        title="Context window (tokens)",
        description="As the server was started with. Some cut longer prompts without saying so.",
    )
    max_output_tokens: int = Field(default=1024, ge=16, le=200_000, title="Longest answer (tokens)")


class AzureOpenAIOptions(ModelOptions):
    """A resource of Azure. ``model`` is the name of the deployment."""

    model: str = Field(title="Deployment", min_length=1, max_length=120, description="The name of the deployment.")
    api_key: SecretStr | None = Field(default=None, title="API key")
    endpoint: str = Field(
        title="Address", max_length=300, description="Of the resource, for example https://NAME.openai.azure.com"
    )
    api_version: str = Field(
        default="",
        max_length=20,
        title="API version",
        description="Blank for the v1 interface; a date like 2024-10-21 for the classic one by deployments.",
    )
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")

    @classmethod
    def address_names(cls) -> list[str]:
        """The address of the resource."""
        return ["endpoint"]

    @field_validator("endpoint")
    @classmethod
    def _plain(cls, value: str) -> str:
        return plain_address(value).removesuffix("/openai/v1").removesuffix("/openai")

    @field_validator("api_version")
    @classmethod
    def _version(cls, value: str) -> str:
        if value and not _VERSION.fullmatch(value):
            raise ValueError("Use a date like 2024-10-21 or 2025-04-01-preview, or leave it blank.")
        return value

"""Settings of Azure Speech to Text (providers §2.1)."""

import base64
import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from transcription.engines.options import SpeechOptions
from transcription.engines.rest import plain_server
from transcription.engines.tags import TAG

# The conversation's own language is one of ten (providers §2.2).
MOST_CANDIDATES = 9


class AzureOptions(SpeechOptions):
    """Times in seconds. What is compared with other fields stands below them: the error is the later field's."""

    method: Literal["fast", "batch", "sdk"] = Field(
        default="fast",
        title="Method",
        description="fast: the answer is the transcript. batch: a job; for long recordings. "
        "sdk: for containers and regions without REST.",
    )
    region: str = Field(
        default="", title="Region", pattern=r"^[a-z0-9-]{0,40}$", description="Such as westeurope; or an endpoint."
    )
    endpoint: str = Field(
        default="",
        max_length=300,
        title="Endpoint",
        description="PROTO://HOST:PORT of the resource. Blank: the one of the region.",
        validate_default=True,
    )
    api_key: SecretStr | None = Field(default=None, title="Key of the resource")
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificates of the servers.")
    punctuate: bool = Field(default=True, title="Punctuate", description="Punctuation and capital letters.")
    profanity: Literal["None", "Removed", "Tags", "Masked"] = Field(
        default="None", title="Profanity", description="What is done about swear words."
    )
    diarize: bool = Field(
        default=True,
        title="Tell speakers apart",
        validate_default=True,
        description="In recordings of one channel; two channels are speakers.",
    )
    max_speakers: int = Field(default=2, ge=2, le=35, title="Speakers at most")
    candidate_languages: str = Field(
        default="",
        max_length=120,
        title="Candidate languages",
        description="At most nine, such as he-IL, ar-IL: the service picks one of these or the conversation's.",
    )
    fast_max_megabytes: int = Field(default=250, ge=1, le=2000, title="Largest recording of fast (MB)")
    fast_max_minutes: int = Field(default=120, ge=1, le=600, title="Longest recording of fast (minutes)")
    hand_over: Literal["blob", "link"] = Field(
        default="blob",
        title="Hand-over (batch)",
        description="blob: by a storage account of yours. link: the service fetches the recording from this platform, "
        "by a signed address that ends with the job.",
    )
    reached_at: str = Field(
        default="",
        max_length=300,
        title="Address of this platform (batch by link)",
        description="PROTO://HOST:PORT as the service reaches it; https, and without a sign-in in front of it.",
        validate_default=True,
    )
    storage_account: str = Field(
        default="", title="Storage account (batch)", pattern=r"^([a-z0-9]{3,24})?$", validate_default=True
    )
    storage_container: str = Field(
        default="",
        title="Container of the account (batch)",
        pattern=r"^([a-z0-9](-?[a-z0-9]){2,62})?$",
        description="Recordings are handed over there and deleted afterwards.",
        validate_default=True,
    )
    storage_key: SecretStr | None = Field(default=None, title="Key of the account (batch)", validate_default=True)
    storage_prefix: str = Field(default="stt/", max_length=160, title="Prefix of blobs")
    storage_endpoint: str = Field(
        default="",
        max_length=300,
        title="Address of storage",
        description="Blank for the account's own; one that stands in for it has the account in its path.",
    )
    request_timeout_s: int = Field(default=600, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

    @classmethod
    def address_names(cls) -> list[str]:
        """Region and endpoint say where the one key goes, the account and its address where the other."""
        return ["region", "endpoint", "storage_account", "storage_endpoint"]

    @field_validator("endpoint")
    @classmethod
    def _one_place(cls, value: str, info: ValidationInfo) -> str:
        value = plain_server(value)
        if "region" in info.data and bool(value) == bool(info.data["region"]):
            raise ValueError("Give either a region or an endpoint.")
        return value

    @field_validator("reached_at")
    @classmethod
    def _reachable(cls, value: str, info: ValidationInfo) -> str:
        value = plain_server(value)
        if info.data.get("method") == "batch" and info.data.get("hand_over") == "link":
            if not value:
                raise ValueError("By link the service needs the address of this platform.")
            # A service without encryption is one that stands in for it.
            if value.startswith("http:") and not str(info.data.get("endpoint", "")).startswith("http:"):
                raise ValueError("The address that a recording is fetched from has to be https.")
        return value

    @field_validator("candidate_languages")
    @classmethod
    def _languages(cls, value: str) -> str:
        tags = [tag.strip() for tag in value.split(",") if tag.strip()]
        if len(tags) > MOST_CANDIDATES or not all(TAG.fullmatch(tag) for tag in tags):
            raise ValueError("At most nine language tags, separated by commas, such as he-IL, ar-IL.")
        return ", ".join(tags)

    @field_validator("storage_account", "storage_container", "storage_key")
    @classmethod
    def _needed_by_batch(cls, value: Any, info: ValidationInfo) -> Any:
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        if info.data.get("method") == "batch" and info.data.get("hand_over") == "blob" and not given:
            raise ValueError("Batch transcription needs a storage account, a container and a key.")
        return value

    @field_validator("storage_key")
    @classmethod
    def _base64_key(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            base64.b64decode(value.get_secret_value() if value else "", validate=True)
        except ValueError:
            raise ValueError("The key of a storage account is Base64.") from None
        return value

    @field_validator("storage_prefix")
    @classmethod
    def _prefix_name(cls, value: str) -> str:
        value = value.strip().lstrip("/")
        if not re.fullmatch(r"[A-Za-z0-9._/-]*", value) or ".." in value:
            raise ValueError("A prefix has letters, digits, dots, hyphens, underscores and slashes.")
        return value

    @field_validator("storage_endpoint")
    @classmethod
    def _with_a_path(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if any(mark in value for mark in "?#@"):
            raise ValueError("Use PROTO://HOST:PORT/PATH without a query or credentials.")
        return value

    @field_validator("ssl_verify", "profanity", "diarize")
    @classmethod
    def _possible_by_sdk(cls, value: Any, info: ValidationInfo) -> Any:
        refused = {
            "ssl_verify": (False, "The Speech SDK always checks the certificate."),
            "profanity": ("Tags", "The Speech SDK has no tags for swear words: choose another way."),
            "diarize": (True, "The method sdk tells no speakers apart: clear this, or choose fast or batch."),
        }
        wrong, rule = refused[str(info.field_name)]
        if info.data.get("method") == "sdk" and value == wrong:
            raise ValueError(rule)
        return value

    @property
    def streaming_address(self) -> str:
        """Where the Speech SDK connects to, as http or https."""
        return self.endpoint or f"https://{self.region}.stt.speech.microsoft.com"

    @property
    def storage_address(self) -> str:
        """Of the account."""
        return self.storage_endpoint or f"https://{self.storage_account}.blob.core.windows.net"

    @property
    def address(self) -> str:
        """Of the REST service."""
        return self.endpoint or f"https://{self.region}.api.cognitive.microsoft.com"

    def languages(self, own: str, candidates: Sequence[str] = ()) -> list[str]:
        """The candidates of the job; else the conversation's language, then the candidates of the engine."""
        if candidates:
            return list(candidates)
        return list(dict.fromkeys([own, *(tag for tag in self.candidate_languages.split(", ") if tag)]))

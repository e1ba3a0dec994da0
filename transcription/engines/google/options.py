"""Settings of Google Cloud Speech-to-Text (providers §1.6)."""

import json
import re
from typing import Any, Literal

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field, SecretStr, field_validator, model_validator

from transcription.engines.options import SpeechOptions
from transcription.engines.rest import plain_server
from transcription.engines.tags import TAG

_SIGNS = ("client_email", "private_key", "project_id")


class GoogleOptions(SpeechOptions):
    """Times in seconds. Without a bucket, recordings are sent in pieces of at most 55 seconds."""

    api_version: Literal["v1p1beta1", "v1", "v2"] = Field(
        default="v1p1beta1", title="API version", description="v2 needs a project and has other models."
    )
    credentials: SecretStr | None = Field(
        default=None, title="Service account key (JSON)", description="The whole file, as Google gave it."
    )
    model: str = Field(
        default="phone_call",
        title="Model",
        pattern=r"^[a-z0-9_]{1,60}$",
        description="phone_call or latest_long; for v2 telephony, long or chirp_2.",
    )
    use_enhanced: bool = Field(default=True, title="Enhanced model", description="Where the language has one (v1).")
    punctuate: bool = Field(default=True, title="Punctuate", description="Punctuation and capital letters.")
    diarize: bool = Field(
        default=True,
        title="Tell speakers apart",
        description="In recordings of one channel; two channels are speakers.",
    )
    alternative_languages: str = Field(
        default="",
        max_length=60,
        title="Alternative languages",
        description="At most three, such as he-IL, ar-IL: the engine picks one of these or the conversation's.",
    )
    bucket: str = Field(
        default="",
        max_length=222,
        title="Bucket of Cloud Storage",
        description="Long recordings are handed over there and deleted afterwards. Blank: in pieces of 55 seconds.",
    )
    prefix: str = Field(default="stt/", max_length=200, title="Prefix of objects")
    location: str = Field(
        default="global", title="Location (v2)", pattern=r"^[a-z0-9-]{1,40}$", description="global, us, eu or a region."
    )
    recognizer: str = Field(default="_", title="Recogniser (v2)", pattern=r"^[a-z0-9_-]{1,63}$")
    endpoint: str = Field(
        default="", max_length=300, title="Address of the service", description="Blank for the one of the location."
    )
    storage_endpoint: str = Field(default="https://storage.googleapis.com", max_length=300, title="Address of storage")
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificates of the servers.")
    request_timeout_s: int = Field(default=120, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

    @classmethod
    def address_names(cls) -> list[str]:
        """Both addresses."""
        return ["endpoint", "storage_endpoint"]

    @field_validator("credentials")
    @classmethod
    def _service_account(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value():
            key_of(value.get_secret_value())
        return value

    @field_validator("endpoint", "storage_endpoint")
    @classmethod
    def _plain_server(cls, value: str) -> str:
        return plain_server(value)

    @field_validator("alternative_languages")
    @classmethod
    def _languages(cls, value: str) -> str:
        tags = [tag.strip() for tag in value.split(",") if tag.strip()]
        if len(tags) > 3 or not all(TAG.fullmatch(tag) for tag in tags):
            raise ValueError("At most three language tags, separated by commas, such as he-IL, ar-IL.")
        return ", ".join(tags)

    @field_validator("bucket")
    @classmethod
    def _bucket_name(cls, value: str) -> str:
        value = value.strip().removeprefix("gs://").rstrip("/")
        if value and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", value):
            raise ValueError("A bucket's name has lower-case letters, digits, dots, hyphens and underscores.")
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix_name(cls, value: str) -> str:
        value = value.strip().lstrip("/")
        if not re.fullmatch(r"[A-Za-z0-9._/-]*", value) or ".." in value:
            raise ValueError("A prefix has letters, digits, dots, hyphens, underscores and slashes.")
        return value

    @model_validator(mode="after")
    def _no_enhanced_v2(self) -> "GoogleOptions":
        if self.api_version == "v2" and self.model == "phone_call":
            raise ValueError("v2 has no model phone_call: use telephony, long or chirp_2.")
        return self

    @property
    def languages(self) -> list[str]:
        """The alternative languages."""
        return [tag for tag in self.alternative_languages.split(", ") if tag]

    @property
    def address(self) -> str:
        """Of the service: what is set, or the one of the location."""
        if self.endpoint:
            return self.endpoint
        regional = self.api_version == "v2" and self.location != "global"
        return f"https://{self.location}-speech.googleapis.com" if regional else "https://speech.googleapis.com"


def key_of(text: str) -> dict[str, Any]:
    """The members of a service account's key. Raises ValueError that says what is wrong and quotes nothing."""
    try:
        key = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is no JSON: paste the whole key file.") from None
    if not isinstance(key, dict) or key.get("type") != "service_account":
        raise ValueError('This is no key of a service account: "type" must be "service_account".')
    if missing := [name for name in _SIGNS if not isinstance(key.get(name), str) or not key[name]]:
        raise ValueError(f'The key has no "{missing[0]}".')
    try:
        load_pem_private_key(key["private_key"].encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError('The "private_key" of the key is no private key in PEM form.') from None
    return key

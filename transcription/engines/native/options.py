"""Settings of the native Speech API v2, with the guide's labels (domain T9)."""

from pydantic import Field, SecretStr, field_validator

from transcription.engines.options import SpeechOptions
from transcription.engines.rest import plain_server


class NativeOptions(SpeechOptions):
    """Server address ``PROTO://HOST:PORT``, SSL verify, punctuate, bearer token; times in seconds."""

    server_address: str = Field(
        title="Server address",
        description="PROTO://HOST:PORT, for example https://speech.example.com or http://10.0.0.5:8080",
        max_length=300,
    )
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")
    punctuate: bool = Field(default=True, title="Punctuate", description="Punctuation and capital letters.")
    token: SecretStr | None = Field(default=None, title="OAuth Bearer token")
    request_timeout_s: int = Field(default=120, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

    @classmethod
    def address_names(cls) -> list[str]:
        """The server address."""
        return ["server_address"]

    @field_validator("server_address")
    @classmethod
    def _plain_server(cls, value: str) -> str:
        return plain_server(value)

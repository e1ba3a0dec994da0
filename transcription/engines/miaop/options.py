"""Settings of an engine that is a server of the offline-task API, by the guide's names."""

from pydantic import Field, SecretStr, field_validator

from transcription.engines.options import SpeechOptions


class OfflineTaskOptions(SpeechOptions):
    """Two base addresses, the organisation, a user of it, the language; times in seconds."""

    identity_address: str = Field(
        title="Identity base address",
        description="Where tokens come from, for example https://insights.example.com:8443",
        max_length=300,
    )
    api_address: str = Field(
        title="API base address", description="For example https://insights.example.com", max_length=300
    )
    realm: str = Field(title="Tenant", description="As the server calls it.", pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    username: str = Field(title="User name", min_length=1, max_length=255)
    password: SecretStr | None = Field(default=None, title="Password")
    base_language: str = Field(
        default="",
        title="Base language",
        description="The server's name of it, such as English or Hebrew. Blank: by the language of each conversation.",
        max_length=60,
    )
    supervisor_email: str = Field(
        default="", title="Supervisor's email", description="Blank: the user above.", max_length=254
    )
    client_id: str = Field(default="browser_client", title="Client", pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")
    request_timeout_s: int = Field(default=300, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=4, ge=1, le=100, title="Requests at a time")

    @classmethod
    def address_names(cls) -> list[str]:
        """The password goes to the first, its tokens to the second."""
        return ["identity_address", "api_address"]

    @field_validator("identity_address", "api_address")
    @classmethod
    def _plain_server(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if value.count("/") > 2 or "?" in value or "#" in value or "@" in value:
            raise ValueError("Use PROTO://HOST:PORT without a path, a query or credentials.")
        return value

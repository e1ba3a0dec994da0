"""Settings of AssemblyAI."""

from pydantic import Field, SecretStr

from transcription.engines.rest import ServerOptions


class AssemblyAIOptions(ServerOptions):
    """Times in seconds. The address decides the region of the data."""

    address: str = Field(
        default="https://api.assemblyai.com",
        title="Server address",
        max_length=300,
        description="https://api.eu.assemblyai.com keeps data in the European Union.",
    )
    api_key: SecretStr | None = Field(default=None, title="API key")
    model: str = Field(
        default="universal", title="Model", pattern=r"^[A-Za-z0-9._-]{1,80}$", description="As the vendor names it."
    )
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")
    punctuate: bool = Field(default=True, title="Punctuate", description="Punctuation, capital letters and numbers.")
    diarize: bool = Field(
        default=True,
        title="Tell speakers apart",
        description="In recordings of one channel; two channels are speakers.",
    )
    request_timeout_s: int = Field(default=120, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

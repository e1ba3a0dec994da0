"""Settings of Deepgram."""

from pydantic import Field, SecretStr

from transcription.engines.rest import ServerOptions


class DeepgramOptions(ServerOptions):
    """Times in seconds. The address is another for servers of one's own."""

    address: str = Field(
        default="https://api.deepgram.com",
        title="Server address",
        max_length=300,
        description="PROTO://HOST:PORT; another one for a server of your own.",
    )
    api_key: SecretStr | None = Field(default=None, title="API key")
    model: str = Field(default="nova-3", title="Model", pattern=r"^[A-Za-z0-9._:-]{1,80}$")
    ssl_verify: bool = Field(default=True, title="SSL verify", description="Check the certificate of the server.")
    punctuate: bool = Field(default=True, title="Punctuate", description="Punctuation and capital letters.")
    smart_format: bool = Field(
        default=False, title="Smart format", description="Writes dates, times, amounts and numbers as people do."
    )
    diarize: bool = Field(
        default=True,
        title="Tell speakers apart",
        description="In recordings of one channel; two channels are speakers.",
    )
    request_timeout_s: int = Field(default=300, ge=1, le=3600, title="Timeout of one request (seconds)")
    concurrency: int = Field(default=8, ge=1, le=200, title="Requests at a time")

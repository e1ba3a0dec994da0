"""Settings of a Speechmatics engine."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from transcription.engines.rest import ServerOptions


class SpeechmaticsOptions(ServerOptions):
    """Where the service runs, and how it is asked."""

    deployment: Literal["cloud", "on_premises"] = Field(
        "cloud", title="Deployment", description="On premises: containers or an appliance of your own."
    )
    address: str = Field(
        "https://eu1.asr.api.speechmatics.com",
        title="Server address",
        description=(
            "PROTO://HOST:PORT. In the cloud that of your region: https://eu1.asr.api.speechmatics.com, "
            "https://us1.asr.api.speechmatics.com or https://au1.asr.api.speechmatics.com."
        ),
        max_length=300,
    )
    ssl_verify: bool = Field(True, title="SSL verify", description="Check the certificate of the server.")
    api_key: SecretStr | None = Field(
        None, title="API key", description="Servers on premises may need none.", max_length=2000, validate_default=True
    )
    model: Literal["enhanced", "standard"] = Field(
        "enhanced", title="Model", description="Enhanced is more accurate; standard is faster and cheaper."
    )
    language_pack: str = Field(
        "",
        title="Language for everything",
        description=(
            "The vendor's code, for example auto, or cmn_en for Mandarin and English in one conversation. "
            "Blank asks for the language of each conversation."
        ),
        pattern=r"^([a-z]{2,4}(_[a-z]{2,3})*)?$",
        max_length=20,
    )
    domain: str = Field(
        "",
        title="Domain",
        description="Of the language, for example bilingual-en for Spanish and English, or medical. Blank: general.",
        pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$",
        max_length=40,
    )
    punctuate: bool = Field(True, title="Punctuate")
    diarize: bool = Field(
        True, title="Tell speakers apart", description="In recordings of one channel. Channels are always kept apart."
    )
    request_timeout_s: int = Field(300, title="Timeout of one request (seconds)", ge=1, le=3600)
    concurrency: int = Field(8, title="Requests at a time", ge=1, le=200)

    @field_validator("api_key")
    @classmethod
    def _keyed(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("deployment") == "cloud" and not (value and value.get_secret_value().strip()):
            raise ValueError("The cloud needs an API key.")
        return value

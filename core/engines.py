"""What adapters of all kinds of engines have in common: their settings, and the steps of Test Connection."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, SecretStr


@dataclass(frozen=True, slots=True)
class Step:
    """One step of Test Connection: ``status`` is running, ok or failed; ``elapsed_ms`` milliseconds.

    ``text`` is what came out: the recognised or the answered words.
    """

    key: str
    status: str
    progress: int
    detail: str = ""
    elapsed_ms: int = 0
    text: str = ""


class EngineOptions(BaseModel):
    """Settings of an engine; the form is made from it. Unknown keys are refused; secrets are SecretStr fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def secret_names(cls) -> list[str]:
        """Names of the write-only fields."""
        return [name for name, field in cls.model_fields.items() if field.annotation in {SecretStr, SecretStr | None}]

    @classmethod
    def address_names(cls) -> list[str]:
        """Names of the fields that say where the secrets are sent; a type with such a field overrides this."""
        return []

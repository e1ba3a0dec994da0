"""What a server can do: probed by Test Connection, learned from its refusals, stored with the engine (providers §3.6)."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Rung = Literal["json_schema", "json_object", "text"]
RUNGS: tuple[Rung, ...] = ("json_schema", "json_object", "text")


class Capabilities(BaseModel):
    """The record of one engine. None means that nobody has tried yet, which counts as "yes".

    ``max_context`` is a number of tokens; ``usage_reliable`` is False for servers that report no or wrong tokens.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    json_schema: bool | None = None
    json_object: bool | None = None
    responses_api: bool | None = None
    max_context: int | None = Field(default=None, ge=1)
    token_count_endpoint: bool | None = None
    usage_reliable: bool | None = None
    temperature: bool | None = None
    reasoning: bool | None = None
    system_role: bool | None = None
    max_completion_tokens: bool | None = None
    batch: bool | None = None

    @property
    def rung(self) -> Rung:
        """The highest way to ask for JSON that is not known to fail."""
        if self.json_schema is not False:
            return "json_schema"
        return "json_object" if self.json_object is not False else "text"

    def learned(self, **facts: Any) -> "Capabilities":
        """A copy that knows more."""
        return self.model_copy(update=facts)

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> "Capabilities":
        """From the database; what cannot be read is as if nobody had tried."""
        try:
            return cls.model_validate(values)
        except ValidationError:
            return cls()

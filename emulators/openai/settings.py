"""How one server is set: flavour, models, mood. Changed while it runs through the control plane."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Flavour = Literal["openai", "azure", "vllm", "llamacpp", "ollama", "plain"]
Trick = Literal[
    "refusal",
    "truncated",
    "garbage",
    "not_json",
    "fenced",
    "thinking",
    "wrong_types",
    "empty",
    "no_usage",
    "wrong_usage",
    "filtered_prompt",
    "null_finish",
    "extra_keys",
    "endless",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Model(_Strict):
    """One model; ``window`` in tokens. One that reasons takes no temperature and no ``max_tokens``."""

    window: Annotated[int, Field(ge=64)] = 128_000
    reasons: bool = False
    # Words of an answer that thinking takes, counted but not shown.
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0


class Settings(_Strict):
    """The present settings; ``delay_ms`` is waited before every answer, ``rpm`` and ``tpm`` are per minute."""

    flavour: Flavour = "openai"
    mood: Literal["honest", "adversarial", "obedient"] = "honest"
    models: dict[str, Model] = {
        "gpt-test": Model(),
        "gpt-test-small": Model(window=4096),
        "reason-test": Model(reasons=True, reasoning_tokens=64),
    }
    audio_models: list[str] = ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"]
    # What detection finds in every recording.
    spoken: str = "en"
    # What some compatible servers cannot do.
    lacks_word_times: bool = False
    lacks_verbose_json: bool = False
    rpm: Annotated[int, Field(ge=1)] = 100_000
    tpm: Annotated[int, Field(ge=1)] = 100_000_000
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0


class Behaviour(_Strict):
    """The next ``times`` answers (to prompts that contain ``contains``) are odd in one way."""

    trick: Trick
    contains: str = ""
    times: Annotated[int, Field(ge=1)] = 1


class Behaviours:
    """Waiting tricks, first set, first used."""

    def __init__(self) -> None:
        self.waiting: list[Behaviour] = []

    def take(self, text: str) -> Trick | None:
        """The trick for this prompt, counted down."""
        for behaviour in self.waiting:
            if behaviour.contains in text:
                behaviour.times -= 1
                if behaviour.times <= 0:
                    self.waiting.remove(behaviour)
                return behaviour.trick
        return None

"""What the rate headers of an answer said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rate headers said: what is left, and the seconds until it is full again; None where nothing was said."""

    requests: int | None = None
    requests_left: int | None = None
    requests_reset_s: float | None = None
    tokens: int | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None

"""How long a record waits: polls, backoff, throttling. Pure functions; jitter comes from the caller."""

from dataclasses import dataclass

FIRST_CHECK_S = 2.0
LONGEST_CHECK_S = 300.0
LONGEST_HINT_S = 3600.0
SHORTEST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How the pauses of a job grow: ``base_s`` after the first failure, ``factor`` times longer each, ``most_s`` at most."""

    base_s: float = 2.0
    factor: float = 2.0
    most_s: float = 900.0

    def pause_s(self, failures: int) -> float:
        """Seconds after the n-th failure, between one second and a day."""
        # Beyond that no float would hold it.
        grown = self.base_s * self.factor ** min(max(failures, 1) - 1, 60)
        return min(max(min(grown, self.most_s), SHORTEST_BACKOFF_S), LONGEST_BACKOFF_S)


USUAL = Backoff()


def poll_delay(hint_s: float | None, checks: int, weight_s: float, jitter: float) -> float:
    """Seconds until the next check: the provider's hint (1 s – 1 h), else growing with audio length and checks.

    ``jitter`` is between 0 and 1 and adds up to a tenth, so that records do not march in step.
    """
    if hint_s is not None and hint_s == hint_s and hint_s > 0:
        base = min(max(hint_s, 1.0), LONGEST_HINT_S)
        # A server that repeats a small hint for ever must not eat fifty checks in a minute.
        base = max(base, FIRST_CHECK_S * 1.12 ** max(checks - 3, 0)) if checks > 3 else base
    else:
        base = max(FIRST_CHECK_S, min(weight_s * 0.05, 30.0)) * 1.12**checks
    return min(base, LONGEST_HINT_S if hint_s else LONGEST_CHECK_S) * (1 + 0.1 * jitter)


def backoff_delay(failures: int, jitter: float, backoff: Backoff = USUAL) -> float:
    """Seconds until the next try after the n-th failure: 2, 4, 8 … up to 15 minutes unless the job says otherwise.

    Up to a half is added, but never beyond a day.
    """
    return min(backoff.pause_s(failures) * (1 + 0.5 * jitter), LONGEST_BACKOFF_S)


def throttle_delay(retry_after_s: float | None, failures: int, jitter: float, backoff: Backoff = USUAL) -> float:
    """Seconds to stay away from a throttling engine: what it says (1 s – 1 h), else as a backoff of at least 5 s."""
    if retry_after_s is not None and retry_after_s == retry_after_s and retry_after_s > 0:
        return min(max(retry_after_s, 1.0), LONGEST_HINT_S) * (1 + 0.1 * jitter)
    return max(backoff_delay(failures, jitter, backoff), 5.0)

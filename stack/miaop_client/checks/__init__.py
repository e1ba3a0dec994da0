"""Every deviation of a server from the contract, found by asking it; the ids are those of its tests and rules."""

from __future__ import annotations

import time
from collections.abc import Iterator

from stack.miaop_client.checks.identity import IDENTITY
from stack.miaop_client.checks.probe import Check, Outcome, Pace, Probe, Skipped
from stack.miaop_client.checks.reading import READING
from stack.miaop_client.checks.submission import SUBMISSION
from stack.miaop_client.errors import NOT_REACHED, ClientError
from stack.miaop_client.server import Server

__all__ = ["CHECKS", "Outcome", "run_checks"]
CHECKS: tuple[Check, ...] = (*IDENTITY, *SUBMISSION, *READING)


def run_checks(server: Server, *, interval: float, timeout: float) -> Iterator[Outcome]:
    """What each check found, as it ends. Raises ClientError when the server cannot be reached or lets nobody in.

    A handful of small tasks called "Conformance check" are submitted; one wrong password is sent.
    """
    server.sign_in()
    probe = Probe(server, Pace(time.sleep, time.monotonic, interval, timeout))
    for check in CHECKS:
        yield _outcome(check, probe)


def _outcome(check: Check, probe: Probe) -> Outcome:
    probe.deviations = []
    skipped = ""
    try:
        check.ask(probe)
    except Skipped as reason:
        skipped = str(reason)
    except ClientError as error:
        if error.exit_code == NOT_REACHED:
            raise
        probe.deviations.append(str(error))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # The answer has a shape nobody foresaw: that deviates too, and the other checks go on.
        probe.deviations.append(f"an answer of a shape that is not of the API ({type(error).__name__})")
    return Outcome(check.ids, check.title, tuple(probe.deviations), skipped)

"""Reading speech engines."""

from functools import partial

from engines import selectors
from engines.selectors import (
    EngineUnusable,
    circuit_key,
    failing_text,
    readable_secrets_of,
    secrets_of,
    stored_secret_names,
    usable_options,
)
from tenants.selectors import outbound_policy
from transcription.engines.base import SpeechEngine as Adapter
from transcription.family import SPEECH
from transcription.models import SpeechEngine

__all__ = [
    "EngineUnusable",
    "adapter_for",
    "circuit_key",
    "engines_with_last_test",
    "failing_text",
    "jobs_by_engine",
    "open_circuits",
    "readable_secrets_of",
    "secrets_of",
    "stored_secret_names",
]

open_circuits = partial(selectors.open_circuits, SPEECH)
engines_with_last_test = partial(selectors.engines_with_last_test, SPEECH)
jobs_by_engine = partial(selectors.jobs_by_engine, SPEECH)


def adapter_for(engine: SpeechEngine, request_timeout_s: int | None = None) -> Adapter:
    """A ready-made adapter with the engine's settings, secrets and the outbound policy of the platform.

    Raises EngineUnusable, as ``usable_options`` says.
    """
    kind, options = usable_options(engine, request_timeout_s)
    adapter: Adapter = kind(options, outbound_policy())
    return adapter

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
from transcription.journal.keeping import Journal
from transcription.journal.noting import noted
from transcription.models import SpeechEngine, SpeechPrice
from transcription.pricing import Price

__all__ = [
    "EngineUnusable",
    "adapter_for",
    "circuit_key",
    "engines_with_last_test",
    "failing_text",
    "jobs_by_engine",
    "open_circuits",
    "prices_of",
    "readable_secrets_of",
    "secrets_of",
    "stored_secret_names",
]

open_circuits = partial(selectors.open_circuits, SPEECH)
engines_with_last_test = partial(selectors.engines_with_last_test, SPEECH)
jobs_by_engine = partial(selectors.jobs_by_engine, SPEECH)


def adapter_for(engine: SpeechEngine, request_timeout_s: int | None = None) -> Adapter:
    """A ready-made adapter with the engine's settings, secrets and the outbound policy of the platform.

    Its calls are noted in the journal of the engine. Raises EngineUnusable, as ``usable_options`` says.
    """
    kind, options = usable_options(engine, request_timeout_s)
    adapter: Adapter = kind(options, outbound_policy())
    return noted(adapter, Journal(engine.pk))


def prices_of(engine: SpeechEngine) -> list[Price]:
    """All prices of an engine: one query."""
    rows = SpeechPrice.objects.filter(engine=engine)
    return [Price(*row) for row in rows.values_list("per_minute", "currency", "valid_from", "created_at")]

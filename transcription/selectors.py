"""Reading engines. Secrets leave this module only inside an adapter."""

from collections import defaultdict

import orjson
from django.db.models import OuterRef, QuerySet, Subquery

from core.crypto import open_sealed
from core.errors import InvalidInput
from jobs.models import JobDefinition
from tenants.keys import data_key
from tenants.selectors import outbound_policy, system_tenant
from transcription.engines.base import SpeechEngine as Adapter
from transcription.models import EngineTest, SpeechEngine
from transcription.registry import engine_types

SECRETS_CONTEXT = b"transcription.speech_engine"


def secrets_of(engine: SpeechEngine) -> dict[str, str]:
    """The decrypted secrets. Only for making an adapter or for keeping them at a save."""
    if not engine.sealed_secrets:
        return {}
    key = data_key(engine.tenant or system_tenant())
    values: dict[str, str] = orjson.loads(open_sealed(key, bytes(engine.sealed_secrets), SECRETS_CONTEXT))
    return values


def adapter_for(engine: SpeechEngine) -> Adapter:
    """A ready-made adapter with the engine's settings, secrets and the outbound policy of the platform."""
    kind = engine_types().get(engine.engine_type)
    if kind is None:
        raise InvalidInput("engine_type", f"There is no engine type “{engine.engine_type}”.")
    options = kind.options_type(**engine.settings, **secrets_of(engine))
    return kind(options, outbound_policy())


def engines_with_last_test() -> QuerySet[SpeechEngine]:
    """Engines annotated with ``last_test_state`` and ``last_test_at`` (None when never tested)."""
    newest = EngineTest.objects.filter(engine=OuterRef("pk")).order_by("-created_at")
    return SpeechEngine.objects.select_related("tenant").annotate(
        last_test_state=Subquery(newest.values("state")[:1]), last_test_at=Subquery(newest.values("created_at")[:1])
    )


def stored_secret_names(engine: SpeechEngine) -> frozenset[str]:
    """Names of the secrets that have a stored value: all that a form may know of them."""
    return frozenset(secrets_of(engine))


def jobs_by_engine() -> dict[int, list[tuple[int, str]]]:
    """(id, name) of the transcription jobs of every engine, by engine id: one query."""
    used: dict[int, list[tuple[int, str]]] = defaultdict(list)
    jobs = JobDefinition.objects.filter(kind="transcription").order_by("name")
    for pk, name, settings in jobs.values_list("pk", "name", "settings"):
        if isinstance(settings.get("engine"), int):
            used[settings["engine"]].append((pk, name))
    return dict(used)

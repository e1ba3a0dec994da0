"""Reading engines. Secrets leave this module only inside an adapter."""

from collections import defaultdict

import orjson
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _
from pydantic import ValidationError

from core.crypto import DecryptionFailed, open_sealed
from jobs.circuits.breakers import circuits_of
from jobs.circuits.models import Circuit
from jobs.models import JobDefinition
from tenants.keys import data_key
from tenants.selectors import outbound_policy, system_tenant
from transcription.engines.base import SpeechEngine as Adapter
from transcription.models import EngineTest, SpeechEngine
from transcription.registry import engine_types

CIRCUITS = "transcription:"
SECRETS_CONTEXT = b"transcription.speech_engine"


class EngineUnusable(Exception):
    """What is stored of an engine makes no adapter. The text says why, is fit for people and quotes no stored value."""


def secrets_of(engine: SpeechEngine) -> dict[str, str]:
    """The decrypted secrets. Only for making an adapter or for keeping them at a save."""
    if not engine.sealed_secrets:
        return {}
    key = data_key(engine.tenant or system_tenant())
    values: dict[str, str] = orjson.loads(open_sealed(key, bytes(engine.sealed_secrets), SECRETS_CONTEXT))
    return values


def readable_secrets_of(engine: SpeechEngine) -> dict[str, str]:
    """As ``secrets_of``; nothing where the stored ones do not decrypt, so that a person can enter new ones."""
    try:
        return secrets_of(engine)
    except DecryptionFailed:
        return {}


def adapter_for(engine: SpeechEngine, request_timeout_s: int | None = None) -> Adapter:
    """A ready-made adapter with the engine's settings, secrets and the outbound policy of the platform.

    ``request_timeout_s`` takes the place of the engine's own timeout of a request, where it has one.

    Raises EngineUnusable when the type is gone, the settings break its rules or the secrets do not decrypt.
    """
    kind = engine_types().get(engine.engine_type)
    if kind is None:
        raise EngineUnusable(_("There is no engine type “%(type)s”.") % {"type": engine.engine_type})
    # "from None" and field names only: pydantic's errors quote the values, which may be secrets.
    try:
        options = kind.options_type.model_validate({**engine.settings, **secrets_of(engine)})
    except ValidationError as error:
        fields = {str(part["loc"][0]) for part in error.errors(include_input=False) if part["loc"]}
        message = _("The stored settings of the engine are not valid: %(fields)s. Edit and save the engine.")
        raise EngineUnusable(message % {"fields": ", ".join(sorted(fields))}) from None
    except DecryptionFailed:
        raise EngineUnusable(_("The stored secrets of the engine cannot be decrypted.")) from None
    if request_timeout_s is not None and "request_timeout_s" in type(options).model_fields:
        options = options.model_copy(update={"request_timeout_s": request_timeout_s})
    return kind(options, outbound_policy())


def circuit_key(engine: SpeechEngine) -> str:
    """The name of the engine's circuit breaker."""
    return f"{CIRCUITS}{engine.pk}"


def open_circuits() -> dict[int, Circuit]:
    """The circuits of failing engines by engine id: one query."""
    return {int(key.removeprefix(CIRCUITS)): circuit for key, circuit in circuits_of(CIRCUITS).items()}


def failing_text(circuit: Circuit) -> str:
    """Why nothing is sent to an engine, in one sentence without its name."""
    return _("Nothing is sent, because it fails: %(why)s") % {"why": circuit.reason}


def engines_with_last_test() -> QuerySet[SpeechEngine]:
    """Engines annotated with ``last_test_state`` and ``last_test_at`` (None when never tested)."""
    newest = EngineTest.objects.filter(engine=OuterRef("pk")).order_by("-created_at")
    return SpeechEngine.objects.select_related("tenant").annotate(
        last_test_state=Subquery(newest.values("state")[:1]), last_test_at=Subquery(newest.values("created_at")[:1])
    )


def stored_secret_names(engine: SpeechEngine) -> frozenset[str]:
    """Names of the secrets that have a stored value: all that a form may know of them."""
    return frozenset(readable_secrets_of(engine))


def jobs_by_engine() -> dict[int, list[tuple[int, str]]]:
    """(id, name) of the transcription jobs of every engine, by engine id: one query."""
    used: dict[int, list[tuple[int, str]]] = defaultdict(list)
    jobs = JobDefinition.objects.filter(kind="transcription").order_by("name")
    for pk, name, settings in jobs.values_list("pk", "name", "settings"):
        if isinstance(settings.get("engine"), int):
            used[settings["engine"]].append((pk, name))
    return dict(used)

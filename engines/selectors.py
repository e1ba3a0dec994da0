"""Reading engines. Secrets leave this module only inside an adapter."""

from collections import defaultdict
from typing import Any

import orjson
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from pydantic import ValidationError

from core.crypto import DecryptionFailed, open_sealed
from core.engines import EngineOptions
from engines.families import Family, family_of
from jobs.circuits.breakers import circuits_of
from jobs.circuits.models import Circuit
from jobs.models import JobDefinition
from jobs.policy.models import EngineSlots
from jobs.policy.sharing import alive
from tenants.keys import data_key
from tenants.selectors import system_tenant


class EngineUnusable(Exception):
    """What is stored of an engine makes no adapter. The text says why, is fit for people and quotes no stored value."""


def why_unusable(engine: Any) -> str:
    """In words, of an engine that is disabled or paused."""
    if not engine.enabled:
        return _("The engine “%(name)s” is disabled.") % {"name": engine.name}
    return _("The engine “%(name)s” is paused: %(why)s") % {"name": engine.name, "why": engine.pause_reason}


def obstacles_of(model: Any) -> dict[str, str]:
    """Why, by its key, each engine of the ``model`` that is disabled or paused cannot be used."""
    engines = model.objects.filter(Q(enabled=False) | Q(paused_at__isnull=False))
    return {str(engine.pk): why_unusable(engine) for engine in engines}


def secrets_of(engine: Any) -> dict[str, str]:
    """The decrypted secrets. Only for making an adapter or for keeping them at a save."""
    if not engine.sealed_secrets:
        return {}
    key = data_key(engine.tenant or system_tenant())
    sealed = bytes(engine.sealed_secrets)
    values: dict[str, str] = orjson.loads(open_sealed(key, sealed, family_of(engine).context))
    return values


def readable_secrets_of(engine: Any) -> dict[str, str]:
    """As ``secrets_of``; nothing where the stored ones do not decrypt, so that a person can enter new ones."""
    try:
        return secrets_of(engine)
    except DecryptionFailed:
        return {}


def stored_secret_names(engine: Any) -> frozenset[str]:
    """Names of the secrets that have a stored value: all that a form may know of them."""
    return frozenset(readable_secrets_of(engine))


def usable_options(engine: Any, request_timeout_s: int | None = None) -> tuple[Any, EngineOptions]:
    """The type of an engine and its settings with the secrets, ready for an adapter.

    ``request_timeout_s`` takes the place of the engine's own timeout of a request, where it has one.

    Raises EngineUnusable when the type is gone, the settings break its rules or the secrets do not decrypt.
    """
    kind = family_of(engine).types().get(engine.engine_type)
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
    return kind, options


def circuit_key(engine: Any) -> str:
    """The name of the engine's circuit breaker and of its slots."""
    return f"{family_of(engine).circuits}{engine.pk}"


def open_circuits(family: Family) -> dict[int, Circuit]:
    """The circuits of failing engines of a family by engine id: one query."""
    prefix = family.circuits
    return {int(key.removeprefix(prefix)): circuit for key, circuit in circuits_of(prefix).items()}


def failing_text(circuit: Circuit) -> str:
    """Why nothing is sent to an engine, in one sentence without its name."""
    return _("Nothing is sent, because it fails: %(why)s") % {"why": circuit.reason}


def places_held(engine: Any) -> int:
    """How many calls the passes at work may make to the engine at this moment, of its "Requests at a time"."""
    claims = EngineSlots.objects.filter(key=circuit_key(engine)).values_list("claims", flat=True).first()
    return sum(claim.held for claim in alive(claims or [], timezone.now().timestamp()))


def engines_with_last_test(family: Family) -> "QuerySet[Any]":
    """Engines annotated with ``last_test_state`` and ``last_test_at`` (None when never tested)."""
    newest = family.test_model.objects.filter(engine=OuterRef("pk")).order_by("-created_at")
    found: QuerySet[Any] = family.model.objects.select_related("tenant").annotate(
        last_test_state=Subquery(newest.values("state")[:1]), last_test_at=Subquery(newest.values("created_at")[:1])
    )
    return found


def jobs_by_engine(family: Family) -> dict[int, list[tuple[int, str]]]:
    """(id, name) of the jobs of every engine, by engine id: one query."""
    used: dict[int, list[tuple[int, str]]] = defaultdict(list)
    jobs = JobDefinition.objects.filter(kind=family.namespace).order_by("name")
    for pk, name, settings in jobs.values_list("pk", "name", "settings"):
        for key in (settings.get(family.job_setting), *settings.get(family.more_of_job, ())):
            if isinstance(key, int):
                used[key].append((pk, name))
    return dict(used)


def jobs_using(family: Family, engine_id: int) -> QuerySet[JobDefinition]:
    """The jobs that have the engine, first or further on."""
    first = Q(**{f"settings__{family.job_setting}": engine_id})
    later = Q(**{f"settings__{family.more_of_job}__contains": [engine_id]})
    return JobDefinition.objects.filter(first | later, kind=family.namespace).order_by("name")

"""What an engine's server can do: found out by tests and refusals, and set by hand above that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import ValidationError

from aiassistant.engines.capabilities import Capabilities
from aiassistant.family import AI
from aiassistant.models import AIEngine
from audit.services import append, changes
from core.errors import Conflict, InvalidInput
from tenants.models import Tenant

LABELS: Mapping[str, str | Promise] = {
    "json_schema": gettext_lazy("Can be held to a JSON schema"),
    "json_object": gettext_lazy("Can be held to a JSON object"),
    "system_role": gettext_lazy("Takes instructions as a system message"),
    "temperature": gettext_lazy("Takes a temperature"),
    "reasoning": gettext_lazy("Takes an effort of reasoning"),
    "max_completion_tokens": gettext_lazy("Knows max_completion_tokens"),
    "responses_api": gettext_lazy("Has the interface Responses"),
    "token_count_endpoint": gettext_lazy("Counts tokens in advance"),
    "usage_reliable": gettext_lazy("Reports tokens"),
    "max_context": gettext_lazy("Context window (tokens)"),
}
WHOLE = frozenset({"max_context"})


@dataclass(frozen=True, slots=True)
class Ability:
    """One line of the record: what was ``found``, what people ``set`` (None: nothing)."""

    name: str
    label: str | Promise
    found: Any
    set: Any

    @property
    def counts(self) -> Any:
        """What is gone by."""
        return self.found if self.set is None else self.set


def abilities_of(engine: AIEngine) -> list[Ability]:
    """The whole record."""
    found = Capabilities.stored(engine.capabilities).model_dump()
    return [Ability(name, label, found.get(name), engine.overrides.get(name)) for name, label in LABELS.items()]


@transaction.atomic
def save_overrides(
    *, engine: AIEngine, overrides: Mapping[str, Any], version: int, actor: str, audit_tenant: Tenant
) -> None:
    """Set what counts above what was found out; what is None or absent is as found. One audit row when it changes.

    Raises InvalidInput naming the field; Conflict when somebody saved the engine in the meantime.
    """
    wanted = {name: value for name, value in overrides.items() if value is not None}
    unknown = sorted(set(wanted) - set(LABELS))
    if unknown:
        raise InvalidInput(unknown[0], _("There is no such ability."))
    try:
        Capabilities(**wanted)
    except ValidationError as error:
        raise InvalidInput(str(error.errors()[0]["loc"][0]), _("This value is not possible.")) from None
    if wanted == engine.overrides:
        return
    same = AIEngine.objects.filter(pk=engine.pk, version=version)
    if not same.update(overrides=wanted, version=F("version") + 1):
        raise Conflict(_("The engine was changed by somebody else. Reload it and try again."))
    before, after = changes(_told(engine.overrides), _told(wanted))
    append(
        tenant_id=audit_tenant.pk,
        actor=actor,
        action="ai_engine.abilities_set",
        target_type=AI.key,
        target_id=str(engine.pk),
        details={"name": engine.name},
        before=before,
        after=after,
    )


def _told(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {name: overrides.get(name) for name in LABELS}

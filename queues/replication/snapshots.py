"""The settings of a queue as they travel: tenants by short name, groups by name, nothing that only we understand."""

from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import InvalidInput
from core.names import name_problem
from queues.events import Event, RecordType
from queues.models import ProcessingQueue, QueueScope
from queues.replication.models import Kind
from tenants.models import Tenant, TenantGroup

LARGEST = 2**63 - 1
MAX_GROUPS = 500
# What a receiver reads at most, in bytes: the longest names in the largest number of groups fit.
MAX_BODY = 256 * 1024


class Settings(BaseModel):
    """What the form of a queue holds, but for the status, which belongs to each installation; it starts with theirs."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=120)
    enabled: bool
    scope: str = Field(max_length=20)
    tenant: str = Field(max_length=40)
    tenant_groups: list[str] = Field(max_length=MAX_GROUPS)
    record_type: str = Field(max_length=20)
    events: list[str] = Field(max_length=50)


class Snapshot(BaseModel):
    """One message: what became of a queue at its origin. ``queue`` and ``version`` are the origin's."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: Literal[1]
    origin_name: str = Field(min_length=1, max_length=80)
    kind: Literal["saved", "released", "deleted"]
    queue: int = Field(ge=1, le=LARGEST)
    version: int = Field(ge=1, le=LARGEST)
    settings: Settings


def settings_of(queue: ProcessingQueue) -> dict[str, Any]:
    """The settings of a stored queue."""
    return {
        "name": queue.name,
        "enabled": queue.enabled,
        "scope": str(queue.scope),
        "tenant": queue.tenant.slug if queue.tenant is not None else "",
        "tenant_groups": sorted(group.name for group in queue.tenant_groups.all()),
        "record_type": str(queue.record_type),
        "events": sorted(queue.events),
    }


def read(body: bytes) -> Snapshot:
    """The message in ``body``. Raises InvalidInput naming field and rule; values are not repeated."""
    try:
        snapshot = Snapshot.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part)[:40] for part in first["loc"]) or "body"
        raise InvalidInput(field, f"{first['msg']}"[:200]) from None
    except RecursionError:
        raise InvalidInput("body", "The body is nested too deeply.") from None
    _demand_meaning(snapshot)
    return snapshot


def _demand_meaning(snapshot: Snapshot) -> None:
    """What the types cannot say. Not translated: the reader is the other installation."""
    settings = snapshot.settings
    named = [("origin_name", snapshot.origin_name), ("settings.name", settings.name)]
    named += [
        ("settings.tenant", settings.tenant),
        *(("settings.tenant_groups", name) for name in settings.tenant_groups),
    ]
    for field, text in named:
        if name_problem(text) or text != text.strip():
            raise InvalidInput(field, "The text holds control characters, nothing to be seen, or blanks around it.")
    for field, text, known in [
        ("settings.scope", settings.scope, QueueScope.values),
        ("settings.record_type", settings.record_type, RecordType.values),
        *(("settings.events", event, Event.values) for event in settings.events),
    ]:
        if text not in known:
            raise InvalidInput(field, "The value is not known to this version.")


class Unresolved(Exception):
    """A tenant or group is not known here. ``reason`` is that of a conflict, ``names`` are the unknown ones."""

    def __init__(self, reason: str, names: list[str]) -> None:
        super().__init__(reason)
        self.reason, self.names = reason, names


def resolve(settings: Settings) -> tuple[dict[str, Any], list[TenantGroup]]:
    """The values and groups to store, without name and status. Raises Unresolved; nothing is guessed."""
    tenant, groups = None, list[TenantGroup]()
    if settings.scope == QueueScope.ONE_TENANT:
        tenant = Tenant.objects.filter(slug=settings.tenant).exclude(state=Tenant.State.DELETED).first()
        if tenant is None:
            raise Unresolved("unknown_tenant", [settings.tenant])
    if settings.scope == QueueScope.TENANT_GROUPS:
        groups = list(TenantGroup.objects.filter(name__in=settings.tenant_groups).order_by("name"))
        missing = sorted(set(settings.tenant_groups) - {group.name for group in groups})
        if missing or not groups:
            raise Unresolved("unknown_groups", missing)
    values = {
        "scope": settings.scope,
        "tenant": tenant,
        "record_type": settings.record_type,
        "events": list(settings.events),
    }
    return values, groups


def message(origin_name: str, kind: Kind | str, queue_id: int, version: int, settings: dict[str, Any]) -> bytes:
    """The body of a message. The receiver judges it; what it does not like is shown on the page of the queue."""
    said = {"format": 1, "origin_name": origin_name, "kind": str(kind), "queue": queue_id, "version": version}
    return orjson.dumps({**said, "settings": settings})

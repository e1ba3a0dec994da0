"""What the variables of prompts stand for in one conversation, loaded for a batch in two queries."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from aiassistant.library.definitions import TaskDefinition
from aiassistant.library.templates import parse
from conversations.field_models import FieldValue
from conversations.texts import ConversationText, TextFacts
from core.threads import Role
from customfields.models import CustomField
from customfields.typed import Value
from tenants.models import Tenant

# Variables of their own that are custom fields of these keys.
NAMED = ("topics", "sentiment")


def own_values(tenant: Tenant, facts: TextFacts, text: ConversationText, now: datetime) -> dict[str, str]:
    """What is known of the conversation without its custom fields; unknown is empty. Times are in UTC, as ISO 8601."""
    people = facts.participants
    agent = next((turn.name for turn in text.turns if turn.role == Role.AGENT), "")
    seconds = None if facts.duration_ms is None else facts.duration_ms // 1000
    return {
        "call.id": facts.external_id,
        "call.channel": facts.channel,
        "call.direction": facts.direction or "",
        "call.started_at": facts.started_at.isoformat(timespec="seconds"),
        "call.duration": "" if seconds is None else f"{seconds // 60}:{seconds % 60:02}",
        "call.from": people[0] if people else "",
        "call.to": people[-1] if len(people) > 1 else "",
        "call.queue": facts.queue_name,
        "call.tags": ", ".join(facts.tags),
        "call.language": text.language or facts.language,
        "call.subject": text.subject,
        "agent.name": agent or facts.username,
        "agent.group": facts.group,
        "tenant.name": tenant.name,
        "tenant.language": tenant.language,
        "now": now.isoformat(timespec="minutes"),
    }


def field_values(
    tenant: Tenant, tasks: Collection[TaskDefinition], record_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, dict[str, str]]:
    """By conversation the variables that are values of custom fields and outputs of other tasks, as far as prompts ask.

    No query when none does.
    """
    names = frozenset(name for task in tasks for name in parse(task.user_template).names)
    keys = {name.removeprefix("custom."): name for name in names if name.startswith("custom.")}
    keys |= {name: name for name in NAMED if name in names}
    previous = {
        output.field_id: f"previous.{task.key}.{output.name}"
        for task in tasks
        for output in task.outputs
        if output.field_id is not None and f"previous.{task.key}.{output.name}" in names
    }
    found: dict[uuid.UUID, dict[str, str]] = {pk: {} for pk in record_ids}
    if not keys and not previous:
        return found
    named = Q(key__in=keys, deleted_at=None) & (Q(tenant=None) | Q(tenant=tenant))
    fields = {field.pk: field for field in CustomField.objects.filter(named | Q(pk__in=previous))}
    current = FieldValue.objects.filter(record_id__in=record_ids, field__in=fields, standing="current")
    for version in current:
        field = fields[version.field_id]
        shown = told(version.value(field))
        if field.key in keys:
            found[version.record_id][keys[field.key]] = shown
        if version.field_id in previous:
            found[version.record_id][previous[version.field_id]] = shown
    return found


def said_before(task: TaskDefinition, values: Mapping[str, Any]) -> dict[str, str]:
    """What a task has just said, for the prompts of later ones."""
    return {f"previous.{task.key}.{name}": told(value) for name, value in values.items()}


def told(value: Value | None) -> str:
    """A value in a prompt."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)

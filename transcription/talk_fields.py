"""How people talked with each other, as custom fields: measured from the transcript by jobs that are told to (domain §2)."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy

from conversations.dynamics import Dynamics
from conversations.field_models import Origin
from conversations.fields.deciding import Overwrite
from conversations.fields.writing import NewValue, Provenance, write_values
from customfields.models import CustomField
from customfields.services import ensure_global_field
from customfields.uses import Use
from jobs.models import JobDefinition
from queues.events import RecordType
from tenants.models import Tenant

GROUP = "Talk"
TYPE = "integer"
ACTOR = "system:transcription"
# Where a tenant has a field of its own under a key.
_ELSE = "_measured"
_PERCENT = {"min": "0", "max": "100"}
_COUNT = {"min": "0"}


@dataclass(frozen=True, slots=True)
class Measure:
    """One field of whole numbers; ``key`` stays for good, ``of`` gives its value, or None where there is none."""

    key: str
    name: str
    description: str
    of: Callable[[Dynamics], float | None]
    bounds: Mapping[str, str] = field(default_factory=lambda: _COUNT)


def _first_share(talk: Dynamics) -> float:
    return talk.sides[0].share * 100


def _pace(talk: Dynamics) -> float | None:
    said = [(side.pace, side.talk_ms) for side in talk.sides if side.pace is not None]
    total_ms = sum(talk_ms for _pace, talk_ms in said)
    return sum(pace * talk_ms for pace, talk_ms in said) / total_ms if total_ms else None


MEASURES = (
    Measure(
        "talk_share_first",
        "Talk share of the first side (%)",
        "Of all talk; the first side is the channel or speaker heard first.",
        _first_share,
        _PERCENT,
    ),
    Measure("talk_silence", "Silence (%)", "Time in which nobody talks.", lambda talk: talk.silence * 100, _PERCENT),
    Measure("talk_interruptions", "Interruptions", "How often a side took the floor.", lambda talk: talk.interruptions),
    Measure(
        "talk_longest_monologue",
        "Longest monologue (s)",
        "In seconds; a word or two of the other side do not end it.",
        # Whole seconds that have passed, as the page of the call shows it.
        lambda talk: talk.longest_monologue_ms // 1000,
    ),
    Measure("talk_pace", "Pace (words a minute)", "Of all sides, while they talk.", _pace),
    Measure("talk_turns", "Turns", "How often the floor changed.", lambda talk: talk.turns),
)


@transaction.atomic
def load_talk_fields() -> int:
    """Make the fields that never were; one that was deleted stays away. Called when the product is set up."""
    keys = {name for measure in MEASURES for name in (measure.key, measure.key + _ELSE)}
    ours = CustomField.objects.filter(tenant=None, key__in=keys, type=TYPE)
    known = {_plain(key) for key in ours.values_list("key", flat=True)}
    missing = [(at, measure) for at, measure in enumerate(MEASURES) if measure.key not in known]
    for at, measure in missing:
        ensure_global_field(key=measure.key, values=_values(measure, 500 + 10 * at), otherwise=measure.key + _ELSE)
    return len(missing)


def _values(measure: Measure, position: int) -> dict[str, Any]:
    return {
        "name": measure.name,
        "description": measure.description,
        "type": TYPE,
        "group": GROUP,
        "position": position,
        "attribute": "custom_fields",
        "enabled": True,
        "editable": False,
        "in_lists": False,
        **measure.bounds,
    }


def _plain(key: str) -> str:
    return key.removesuffix(_ELSE)


def talk_fields() -> dict[str, int]:
    """The ids of the fields that are there, by the key of their measure."""
    keys = [name for measure in MEASURES for name in (measure.key, measure.key + _ELSE)]
    rows = CustomField.objects.filter(tenant=None, deleted_at=None, key__in=keys, type=TYPE)
    return {_plain(key): pk for key, pk in rows.values_list("key", "pk")}


def write_talk(
    *,
    tenant: Tenant,
    fields: Mapping[str, int],
    talks: Iterable[tuple[uuid.UUID, int, Dynamics | None]],
    engine: str,
) -> None:
    """Write the measures of (call, version of its transcript, dynamics) in the caller's transaction.

    A call without talk has empty values. A person's value stays where the field was opened for people.
    """
    rows = [
        NewValue(
            RecordType.CALL,
            call_id,
            fields[measure.key],
            None if talk is None or (value := measure.of(talk)) is None else round(value),
            rule=Overwrite.IF_NOT_EDITED,
            provenance=Provenance(origin=Origin.MEASURED, engine=engine, transcript_version=version),
        )
        for call_id, version, talk in talks
        for measure in MEASURES
        if measure.key in fields
    ]
    if rows:
        write_values(tenant=tenant, rows=rows, actor=ACTOR)


def jobs_using(field_ids: Collection[int]) -> dict[int, list[Use]]:
    """The jobs that write these fields: for ``CUSTOM_FIELD_USES``."""
    mine = set(talk_fields().values()) & set(field_ids)
    if not mine:
        return {}
    jobs = JobDefinition.objects.filter(kind="transcription", settings__talk_fields=True).order_by("name")
    uses = [Use(gettext_lazy("Job"), job.name, reverse("jobs:edit", args=[job.pk])) for job in jobs]
    return {pk: list(uses) for pk in mine}

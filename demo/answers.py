"""What the AI tasks answered on the demo, beside what a reader of the texts would say (``answers.json``).

The reader's answers are one opinion, and were written down by somebody who knew those of the built-in engine: they show
where it is far off, and measure nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from aiassistant.executing.models import Execution
from conversations.field_models import FieldValue
from conversations.models import Call
from customfields.models import CustomField
from customfields.typed import bands_of
from demo.manifest import HERE, read_manifest
from tenants.doors import enter
from tenants.models import Tenant

# The bands of sentiment as the library brings them, lowest first.
BANDS = ("very_negative", "negative", "neutral", "positive", "very_positive")


class Expected(BaseModel):
    """What the reader says: a band of ``BANDS``, and topics by their value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external_id: str
    sentiment: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """One conversation. ``band`` and ``score`` None, ``topics`` empty: nothing was answered. ``ms``: all tasks together."""

    expected: Expected
    language: str
    score: Decimal | None
    band: str | None
    topics: tuple[str, ...]
    ms: int | None

    @property
    def same_band(self) -> bool:
        """Whether engine and reader agree on the sentiment."""
        return self.band == self.expected.sentiment


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far they agree: on ``bands`` of ``scored``; of the ``named`` topics ``right`` ones, of ``wanted`` ones."""

    conversations: int
    scored: int
    bands: int
    named: int
    right: int
    wanted: int


def expected_answers() -> list[Expected]:
    """Read and validate ``answers.json``."""
    return TypeAdapter(list[Expected]).validate_json((HERE / "answers.json").read_bytes())


def answered() -> list[Answered]:
    """The demo's conversations with text, by tenant and name; those that are not there are left out."""
    wanted = {one.external_id: one for one in expected_answers()}
    fields = {
        f.key: f for f in CustomField.objects.filter(key__in=("sentiment", "topics"), tenant=None, deleted_at=None)
    }
    slugs = [tenant.alias for tenant in read_manifest().tenants]
    found = []
    for tenant in Tenant.objects.filter(slug__in=slugs, state=Tenant.State.READY).order_by("slug"):
        found += _of_tenant(tenant, wanted, fields)
    return found


def agreement(rows: Sequence[Answered]) -> Agreement:
    """The counts."""
    return Agreement(
        len(rows),
        sum(row.band is not None for row in rows),
        sum(row.same_band for row in rows),
        sum(len(row.topics) for row in rows),
        sum(len(set(row.topics) & set(row.expected.topics)) for row in rows),
        sum(len(row.expected.topics) for row in rows),
    )


def _of_tenant(tenant: Tenant, wanted: Mapping[str, Expected], fields: Mapping[str, CustomField]) -> list[Answered]:
    with enter(tenant):
        calls = list(Call.objects.filter(external_id__in=wanted).order_by("external_id"))
        ids = [call.pk for call in calls]
        rows = FieldValue.objects.filter(record_id__in=ids, field__in=fields.values(), standing="current")
        values = {(row.record_id, row.field_id): row for row in rows}
    times: dict[object, int] = {}
    for record_id, ms in Execution.objects.filter(tenant=tenant, record_id__in=ids).values_list(
        "record_id", "latency_ms"
    ):
        times[record_id] = times.get(record_id, 0) + ms
    found = []
    for call in calls:
        said = {key: values.get((call.pk, field.pk)) for key, field in fields.items()}
        mood, topics = said.get("sentiment"), said.get("topics")
        score = None if mood is None else mood.number
        members = tuple(topics.members or ()) if topics is not None else ()
        band = _band(fields["sentiment"], score) if score is not None else None
        found.append(Answered(wanted[call.external_id], call.language, score, band, members, times.get(call.pk)))
    return found


def _band(field: CustomField, score: Decimal) -> str | None:
    starts = [band.start for band in bands_of(field.definition)]
    place = sum(start <= score for start in starts) - 1
    return BANDS[place] if 0 <= place < len(BANDS) and len(starts) == len(BANDS) else None

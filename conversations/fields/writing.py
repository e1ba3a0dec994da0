"""The one way in which machines write values of custom fields: in batches, by rules, and never over a pinned one."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from conversations.field_models import FieldValue, Origin
from conversations.fields.deciding import Decision, Outcome, Overwrite, Said, decide
from conversations.fields.records import Key, lock
from core.moves import move
from customfields.models import CustomField
from customfields.selectors import known_fields
from customfields.services import mark_used
from customfields.typed import BrokenRule, Columns, coerce, columns_of
from tenants.doors import WrongTenant, current_tenant
from tenants.models import Tenant

MAX_EXPLANATION = 4000
MAX_EVIDENCE = 20
MAX_QUOTE = 500
CURRENT, HELD, PAST = FieldValue.Standing.CURRENT, FieldValue.Standing.HELD, FieldValue.Standing.PAST
Slot = tuple[Key, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of the conversation that a value rests on.

    ``turn`` counts from 0; ``start`` and ``end`` are characters (code points) in the text of that turn; ``start_ms`` is
    when it is said, None in a text thread. ``verified``: the quote was found there letter by letter; only the caller,
    who has the words, can say so.
    """

    quote: str
    turn: int | None = None
    start: int | None = None
    end: int | None = None
    start_ms: int | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value comes from; ``tokens`` are those of the whole execution."""

    origin: Origin = Origin.AI
    task_version: int | None = None
    task_label: str = ""
    engine: str = ""
    model: str = ""
    prompt_hash: str = ""
    tokens: int = 0
    execution_id: uuid.UUID | None = None
    transcript_version: int | None = None


@dataclass(frozen=True, slots=True)
class NewValue:
    """What is said of one field of one conversation; ``value`` is what ``coerce`` takes, None says "empty"."""

    record_type: str
    record_id: uuid.UUID
    field_id: int
    value: Any
    rule: Overwrite = Overwrite.ALWAYS
    explanation: str = ""
    evidence: Sequence[Evidence] = ()
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def slot(self) -> Slot:
        """The conversation and the field."""
        return (self.record_type, self.record_id), self.field_id


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a new value, in the order in which they were given.

    ``pinned``: it was kept because a person pinned the value. ``problem`` says in words what was refused, naming field
    and rule. ``value_id`` is the version that was stored, as the current or as the held one.
    """

    row: NewValue
    outcome: Outcome
    pinned: bool = False
    problem: str = ""
    value_id: int | None = None


@transaction.atomic
def write_values(*, tenant: Tenant, rows: Sequence[NewValue], actor: str) -> list[Written]:
    """Write what a machine says, inside ``tenant`` and in the caller's transaction if there is one; say what became of each.

    A fixed number of queries, whatever the number of rows; a batch holds a few hundred. The old version always stays in
    the history. Repeating an execution changes nothing (``UNCHANGED``). A row that breaks a rule is ``REFUSED`` for
    itself and does not hold up the others. Machines leave no audit rows: the version says who and why.
    Raises ValueError for the origin "person", WrongTenant outside ``tenant``, and Conflict when the type of a field was
    changed while its first value was being written: the caller's batch is then to be repeated.
    """
    if current_tenant().pk != tenant.pk:
        raise WrongTenant("Values are written inside their tenant.")
    if any(row.provenance.origin == Origin.PERSON for row in rows):
        raise ValueError("People edit values by edit_value.")
    fields = known_fields(tenant.pk, {row.field_id for row in rows})
    present = lock(row.slot[0] for row in rows)
    batch = _Batch(rows, fields, actor)
    results = [batch.write(row, row.slot[0] in present) for row in rows]
    batch.save()
    return [result if version is None else _stored(result, version) for result, version in results]


def _stored(result: Written, version: FieldValue) -> Written:
    return Written(result.row, result.outcome, result.pinned, result.problem, version.pk)


class _Batch:
    """What stands in the slots of the rows, changed in memory and saved by two statements."""

    def __init__(self, rows: Sequence[NewValue], fields: dict[int, CustomField], actor: str) -> None:
        self.fields, self.actor = fields, actor
        self.standing: dict[tuple[Slot, str], FieldValue] = {}
        self.done: set[tuple[Slot, uuid.UUID]] = set()
        self.new: list[FieldValue] = []
        self.passed: list[int] = []
        wanted = {row.slot for row in rows}
        stored = FieldValue.objects.filter(
            record_id__in={row.record_id for row in rows}, field_id__in={row.field_id for row in rows}
        )
        ids = {row.provenance.execution_id for row in rows} - {None}
        for version in stored.filter(standing__in=(CURRENT, HELD)):
            slot = ((version.record_type, version.record_id), version.field_id)
            if slot in wanted:
                self.standing[slot, version.standing] = version
        if ids:
            known = stored.filter(execution_id__in=ids)
            names = ("record_type", "record_id", "field_id", "execution_id")
            self.done = {(((kind, pk), fid), run) for kind, pk, fid, run in known.values_list(*names)}

    def write(self, row: NewValue, present: bool) -> tuple[Written, FieldValue | None]:
        """Decide about one row; the version that it made, if any."""
        custom = self.fields.get(row.field_id)
        if custom is None or not present:
            return Written(row, Outcome.GONE, problem=_("The conversation or the field is gone.")), None
        try:
            columns = columns_of(custom.definition, coerce(custom.definition, row.value))
        except BrokenRule as error:
            return Written(row, Outcome.REFUSED, problem=str(error)), None
        execution = row.provenance.execution_id
        if execution is not None and (row.slot, execution) in self.done:
            return Written(row, Outcome.UNCHANGED), None
        current, held = self.standing.get((row.slot, CURRENT)), self.standing.get((row.slot, HELD))
        evidence = [_evidence(item) for item in row.evidence[:MAX_EVIDENCE]]
        said = Said(columns, _storable(row.explanation)[:MAX_EXPLANATION], evidence)
        decision = decide(row.rule, current, held, said)
        made = self._add(row, custom, said, decision)
        pinned = decision.outcome == Outcome.KEPT and current is not None and current.pinned
        return Written(row, decision.outcome, pinned), made

    def _add(self, row: NewValue, custom: CustomField, said: Said, decision: Decision) -> FieldValue | None:
        if decision.outcome != Outcome.WRITTEN and not decision.hold:
            return None
        standing = HELD if decision.hold else CURRENT
        replaced = self.standing.get((row.slot, standing))
        if replaced is not None:
            replaced.standing = PAST
            if replaced.pk is not None:
                self.passed.append(replaced.pk)
        values = asdict(row.provenance) | {"explanation": said.explanation, "evidence": list(said.evidence)}
        made = new_version(row.slot, custom, said.columns, standing, author=self.actor, **values)
        self.standing[row.slot, standing] = made
        self.new.append(made)
        if row.provenance.execution_id is not None:
            self.done.add((row.slot, row.provenance.execution_id))
        return made

    def save(self) -> None:
        """The old versions pass, the new ones stand."""
        if self.passed:
            rows = FieldValue.objects.filter(pk__in=self.passed, standing__in=(CURRENT, HELD))
            move(rows, expect=len(self.passed), standing=PAST)
        if self.new:
            FieldValue.objects.bulk_create(self.new)
            used = {version.field_id for version in self.new}
            mark_used(fields=[self.fields[pk] for pk in used])


def new_version(slot: Slot, custom: CustomField, columns: Columns, standing: str, **more: Any) -> FieldValue:
    """A version that is not saved yet."""
    (record_type, record_id), field_id = slot
    return FieldValue(
        record_type=record_type,
        record_id=record_id,
        field_id=field_id,
        standing=standing,
        field_version=custom.version,
        text=columns.text,
        number=columns.number,
        members=None if columns.members is None else list(columns.members),
        **more,
    )


def _evidence(item: Evidence) -> dict[str, Any]:
    return asdict(item) | {"quote": _storable(item.quote)[:MAX_QUOTE]}


def _storable(text: str) -> str:
    """Without what the database refuses: explanations are a model's free text."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()

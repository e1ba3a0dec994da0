"""Custom fields as facts that the filters of jobs ask about, for every kind and record type.

A clause names a field by id, ``custom_field.12``, because two tenants may have fields of one key. A job of many tenants
may name a field of one of them: the others have no value of it. A field that was deleted is still known by its tombstone,
so that whoever saves such a clause, and the record that meets it, are told its name.
"""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from conversations.fields.filtering import fact_of, operators_of
from conversations.fields.selectors import current_values
from core.outcomes import Reason
from customfields.models import CustomField
from customfields.selectors import ORDER, administered_fields
from customfields.typed import CHOICES, TEXTS, FieldType
from customfields.uses import Use
from jobs.filters import Deleted, FilterField, ValueType
from jobs.models import JobDefinition
from licensing.gates import GateResult
from tenants.models import Tenant

PREFIX = "custom_field."
MOST_OFFERED = 300


class WithCustomFields(Mapping[str, FilterField]):
    """The facts of a kind, and any custom field by its name; only the kind's own are listed.

    ``offered_fields`` says which of the others a person may choose.
    """

    def __init__(self, own: Mapping[str, FilterField]) -> None:
        self.own = own

    def __getitem__(self, name: str) -> FilterField:
        """A fact; of a deleted field with its ``problem``. Raises KeyError."""
        if name in self.own:
            return self.own[name]
        pk = id_of(name)
        field = CustomField.objects.select_related("tenant").filter(pk=pk).first() if pk else None
        if field is None:
            raise KeyError(name)
        return filter_field(field)

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


def id_of(name: str) -> int:
    """The id of the field that a clause names; 0 when it names none."""
    digits = name.removeprefix(PREFIX)
    known = name.startswith(PREFIX) and digits.isascii() and digits.isdigit() and len(digits) < 19
    return int(digits) if known else 0


def offered_fields(editor: User) -> dict[str, FilterField]:
    """The custom fields that ``editor`` may see and so choose: the global ones first, then those of tenants."""
    rows = administered_fields(editor).filter(enabled=True).order_by("tenant__name", *ORDER)
    found = [*rows.filter(tenant=None), *rows.exclude(tenant=None)[:MOST_OFFERED]]
    return {made.name: made for made in map(filter_field, found)}


def filter_field(field: CustomField) -> FilterField:
    """What a clause on this field may ask."""
    kind = FieldType(field.type)
    label = _("Custom field - %(name)s") % {"name": field.name}
    if field.tenant is not None:
        label = f"{label} ({field.tenant.name})"
    problem = ""
    if field.deleted_at is not None:
        problem = _("The custom field “%(name)s” of a filter was deleted.") % {"name": field.name}
        label = _("%(label)s (deleted)") % {"label": label}
    choices: tuple[tuple[str, str | Promise], ...] = tuple(field.definition.choices) if kind in CHOICES else ()
    if kind == FieldType.BOOLEAN:
        choices = (("true", gettext_lazy("yes")), ("false", gettext_lazy("no")))
    return FilterField(f"{PREFIX}{field.pk}", label, operators_of(kind), choices, _type_of(kind), problem=problem)


def _type_of(kind: FieldType) -> ValueType:
    if kind in TEXTS:
        return ValueType.TEXT
    if kind in CHOICES or kind == FieldType.BOOLEAN:
        return ValueType.CHOICE
    return ValueType.DAY if kind == FieldType.DATE else ValueType.NUMBER


def custom_facts(
    tenant: Tenant, record_ids: Iterable[uuid.UUID], filters: Sequence[Mapping[str, Any]]
) -> dict[uuid.UUID, dict[str, Any]]:
    """For each record the facts of the custom fields that ``filters`` name, inside ``tenant``.

    No query without such a clause, else two for the whole batch. A deleted field is a ``Deleted`` fact.
    """
    ids, wanted = list(record_ids), {id_of(str(clause["field"])) for clause in filters} - {0}
    if not wanted or not ids:
        return {pk: {} for pk in ids}
    fields = list(CustomField.objects.filter(pk__in=wanted))
    gone = {f"{PREFIX}{field.pk}": Deleted(field.name) for field in fields if field.deleted_at is not None}
    gone |= {f"{PREFIX}{pk}": Deleted(f"{PREFIX}{pk}") for pk in wanted - {field.pk for field in fields}}
    live = [field for field in fields if field.deleted_at is None and field.tenant_id in (None, tenant.pk)]
    values = current_values(ids, live)
    found: dict[uuid.UUID, dict[str, Any]] = {pk: dict(gone) for pk in ids}
    for field in live:
        for pk in ids:
            version = values.get((pk, field.pk))
            found[pk][f"{PREFIX}{field.pk}"] = None if version is None else fact_of(version.value(field))
    return found


def refusal_text(reason: str, trace: Sequence[GateResult], fields: Mapping[str, FilterField]) -> str:
    """Why the filters refused a record, in words: a clause on a custom field by the field's name, not by its id."""
    if id_of(reason.partition(":")[2]) == 0:
        return Reason.label_of(reason)
    known = fields.get(reason.partition(":")[2])
    if known is not None and known.problem:
        return known.problem
    head = Reason.label_of(reason.partition(":")[0])
    return f"{head}: {known.label if known is not None else trace[-1].seen}"


def jobs_using(field_ids: Collection[int]) -> dict[int, list[Use]]:
    """The jobs whose filters name the fields: for ``CUSTOM_FIELD_USES``."""
    found: dict[int, list[Use]] = {}
    wanted = set(field_ids)
    for pk, name, clauses in JobDefinition.objects.order_by("name").values_list("pk", "name", "filters"):
        for field_id in {id_of(str(clause["field"])) for clause in clauses} & wanted:
            use = Use(gettext_lazy("Job"), name, reverse("jobs:edit", args=[pk]))
            found.setdefault(field_id, []).append(use)
    return found

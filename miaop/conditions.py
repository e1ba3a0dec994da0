"""A filter's tree as conditions on tasks, for one tenant: an allow-list of columns and nothing else (R6.1–R6.3)."""

from functools import reduce
from operator import and_, or_

from django.db.models import Q

from miaop.filtering import FIELDS, ORDERED, Condition, Group, Kind, Value

# By the names that ``selectors.with_status`` gives its columns.
COLUMNS = {
    "taskUpdateTimeNumeric": "updated",
    "archive": "archived",
    "supervisor.email": "supervisor_email",
    "supervisor.name": "supervisor_name",
    "taskId": "task_id",
    "taskName": "name",
    "taskStatus": "status",
    "baseLanguages": "base_languages",
}
# What is the same for all tasks: of a tenant its name, and the type.
TASK_TYPE = "offline"
NOTHING, EVERYTHING = Q(pk__in=[]), ~Q(pk__in=[])


def condition_of(tree: Group, *, tenant: str) -> Q:
    """The tree as a condition on the tasks of the tenant of this short name."""
    if not tree.parts:
        return EVERYTHING
    made = [condition_of(part, tenant=tenant) if isinstance(part, Group) else _one(part, tenant) for part in tree.parts]
    return reduce(and_ if tree.every else or_, made)


def _one(condition: Condition, tenant: str) -> Q:
    if condition.operator == "$exists":
        return EVERYTHING if condition.values[0] else NOTHING
    if condition.field in ("tenant", "taskType"):
        held = tenant if condition.field == "tenant" else TASK_TYPE
        return EVERYTHING if _holds(held, condition) else NOTHING
    column, kind = COLUMNS[condition.field], FIELDS[condition.field]
    if condition.operator in ORDERED:
        return Q(**{f"{column}__{condition.operator[1:]}": condition.values[0]})
    found = reduce(or_, [_equal(column, kind, value) for value in condition.values])
    return ~found if condition.operator in ("$ne", "$nin") else found


def _equal(column: str, kind: Kind, value: Value) -> Q:
    if kind == Kind.TEXTS:
        return Q(**{f"{column}__contains": [value]})
    return Q(**{f"{column}__iexact" if kind == Kind.FOLDED else column: value})


def _holds(held: str, condition: Condition) -> bool:
    """For what is known without a query; texts compare by their letters."""
    first = str(condition.values[0])
    answers = {
        "$eq": held == first,
        "$ne": held != first,
        "$gt": held > first,
        "$gte": held >= first,
        "$lt": held < first,
        "$lte": held <= first,
        "$in": held in condition.values,
        "$nin": held not in condition.values,
    }
    return answers[condition.operator]

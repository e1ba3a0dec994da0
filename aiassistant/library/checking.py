"""Judging what a task would ask, when it is saved: every refusal names the field of the form and the rule."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from aiassistant.choosing import EngineTable
from aiassistant.facts import FILTER_FIELDS
from aiassistant.library.definitions import Limits, Reasoning
from aiassistant.library.models import PRODUCTION, Applies, OverflowPath, OverwriteRule, TaskLabel
from aiassistant.library.outputs import OutputError, Target, clean_outputs, loaded
from aiassistant.library.selectors import targets_of
from aiassistant.library.templates import TemplateError, check_system, check_user, parse, upstream_of
from aiassistant.library.wording import output_text, template_text
from aiassistant.registry import engine_types
from aiassistant.selectors import engine_table
from core.errors import InvalidInput
from customfields.models import CustomField
from jobs.custom_fields import id_of
from jobs.filters import validate
from tenants.models import Tenant

CONTENT = (
    "applies_to",
    "system_template",
    "user_template",
    "outputs",
    "params",
    "limits",
    "filters",
    "overflow",
    "overwrite",
    "engine_ref",
    "model",
)
MAX_OUTPUT_TOKENS = 128_000
# Smallest and largest value of each rail.
BOUNDS: Mapping[str, tuple[int, int]] = {
    "min_duration_s": (0, 86_400),
    "min_words": (0, 100_000),
    "request_timeout_s": (1, 600),
    "conversation_timeout_s": (1, 3600),
    "max_requests": (1, 40),
    "max_executions": (1, 1000),
}


def checked_content(content: Mapping[str, Any], *, key: str, tenant: Tenant | None) -> dict[str, Any]:
    """What a version stores, in normal form, of a task of the library (``tenant`` None) or of a tenant.

    Raises InvalidInput naming field and rule: a template that is none, an unknown variable, outputs that their fields
    cannot hold or that no strict schema allows, an engine that is not theirs or cannot answer, a filter on a deleted
    field, a limit out of bounds.
    """
    fields = _fields_of(tenant)
    targets = targets_of(fields)
    outputs = _outputs(content["outputs"], targets)
    _check_templates(content, key, tenant, [field.key for field in fields if field.deleted_at is None])
    stored = {
        "applies_to": _one_of("applies_to", content["applies_to"], Applies.values),
        "system_template": content["system_template"],
        "user_template": content["user_template"],
        "outputs": outputs,
        "params": _params(content["params"]),
        "limits": _limits(content["limits"]),
        "filters": checked_filters(content["filters"], tenant),
        "overflow": _one_of("overflow", content["overflow"], OverflowPath.values),
        "overwrite": _one_of("overwrite", content["overwrite"], OverwriteRule.values),
        "engine_ref": content["engine_ref"],
        "model": content["model"].strip(),
    }
    if len(stored["model"]) > 120:
        raise InvalidInput("model", _("At most %(most)s characters.") % {"most": 120})
    _check_engine(stored, tenant, targets)
    return stored


def checked_filters(clauses: Any, tenant: Tenant | None) -> list[dict[str, Any]]:
    """Filters in normal form. Raises InvalidInput("filters") for a broken, deleted or foreign one."""
    cleaned = validate(clauses, FILTER_FIELDS)
    named = {id_of(str(clause["field"])) for clause in cleaned} - {0}
    foreign = CustomField.objects.filter(pk__in=named).exclude(Q(tenant=None) | Q(tenant=tenant)).first()
    if foreign is not None:
        raise InvalidInput("filters", _("“%(name)s” is not a field of all who use this task.") % {"name": foreign.name})
    return cleaned


def checked_templates(content: Mapping[str, Any], *, key: str, tenant: Tenant | None) -> dict[str, Any]:
    """The two templates, for an override of the prompt. Raises InvalidInput."""
    keys = [field.key for field in _fields_of(tenant) if field.deleted_at is None]
    _check_templates(content, key, tenant, keys)
    return {name: content[name] for name in ("system_template", "user_template")}


def _fields_of(tenant: Tenant | None) -> list[CustomField]:
    """The fields that a task may name, deleted ones too so that a refusal can say so."""
    return list(CustomField.objects.filter(Q(tenant=None) | Q(tenant=tenant)))


def _outputs(raw: Any, targets: Mapping[int, Target]) -> list[dict[str, Any]]:
    try:
        return clean_outputs(raw, targets)
    except OutputError as error:
        raise InvalidInput("outputs", output_text(error)) from None


def _check_templates(content: Mapping[str, Any], key: str, tenant: Tenant | None, fields: Sequence[str]) -> None:
    for name in ("system_template", "user_template"):
        if not isinstance(content[name], str) or not content[name].strip():
            raise InvalidInput(name, _("This must not be empty."))
    try:
        check_system(content["system_template"])
    except TemplateError as error:
        raise InvalidInput("system_template", template_text(error)) from None
    known = {label.task.key: label.points_to for label in _running(tenant) if label.task.key != key}
    pairs = [(task, output["name"]) for task, version in known.items() for output in version.outputs]
    try:
        template = check_user(content["user_template"], fields=fields, previous=pairs)
    except TemplateError as error:
        raise InvalidInput("user_template", template_text(error)) from None
    asks = {task: upstream_of(parse(version.user_template)) for task, version in known.items()}
    circle = _circle(key, upstream_of(template), asks)
    if circle:
        text = _("The tasks would wait for each other: %(tasks)s.") % {"tasks": " → ".join(circle)}
        raise InvalidInput("user_template", text)


def _running(tenant: Tenant | None) -> Iterable[TaskLabel]:
    own = Q(task__tenant=None) | Q(task__tenant=tenant)
    rows = TaskLabel.objects.filter(own, name=PRODUCTION, task__archived_at=None)
    return rows.select_related("task", "points_to")


def _circle(start: str, first: Iterable[str], asks: Mapping[str, Iterable[str]]) -> list[str]:
    """The way from a task back to itself, or nothing."""
    ways = [[start, task] for task in sorted(first)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        if way[-1] == start:
            return way
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [[*way, task] for task in asks.get(way[-1], ())]
    return []


def _one_of(field: str, value: Any, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InvalidInput(field, _("Choose one of the values."))
    return str(value)


def _params(raw: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    temperature, most, reasoning = (raw.get(name) for name in ("temperature", "max_output_tokens", "reasoning"))
    if temperature is not None:
        if not isinstance(temperature, (int, float)) or isinstance(temperature, bool) or not 0 <= temperature <= 2:
            raise InvalidInput("temperature", _("A number between %(low)s and %(high)s.") % {"low": 0, "high": 2})
        found["temperature"] = float(temperature)
    if most is not None:
        found["max_output_tokens"] = _whole("max_output_tokens", most, 16, MAX_OUTPUT_TOKENS)
    if reasoning:
        found["reasoning"] = _one_of("reasoning", reasoning, list(Reasoning))
    return found


def _limits(raw: Mapping[str, Any]) -> dict[str, int]:
    """All of them, so that later defaults do not change what a version says."""
    standing = Limits()
    found = {}
    for name, (low, high) in BOUNDS.items():
        value = raw.get(name)
        found[name] = _whole(name, getattr(standing, name) if value is None else value, low, high)
    if found["conversation_timeout_s"] < found["request_timeout_s"]:
        raise InvalidInput("conversation_timeout_s", _("This must not be shorter than the time of one request."))
    return found


def _whole(field: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(field, _("A whole number between %(low)s and %(high)s.") % {"low": low, "high": high})
    return value


def _check_engine(stored: Mapping[str, Any], tenant: Tenant | None, targets: Mapping[int, Target]) -> None:
    """The engine is there, may be used by all who can have the task, and can answer its outputs."""
    if stored["engine_ref"] is None:
        return
    table: EngineTable = engine_table()
    engine = table.engines.get(stored["engine_ref"])
    if engine is None:
        raise InvalidInput("engine", _("There is no such engine any more."))
    if tenant is not None and not table.allows(engine, tenant.pk):
        raise InvalidInput("engine", _("The engine “%(name)s” is not for this tenant.") % {"name": engine.name})
    kind = engine_types().get(engine.engine_type)
    refusals = {} if kind is None else kind.unanswerable(loaded(stored["outputs"], targets))
    for name, why in refusals.items():
        raise InvalidInput("outputs", f"{name}: {why}")

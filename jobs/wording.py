"""Clauses of filters in words: for the job page, "Why?" and the preview alike."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from core.outcomes import Reason
from jobs.filters import UNARY, FilterField, Op, ValueType
from jobs.preview import Answer, Cause


def clock(seconds: int | None) -> str:
    """Seconds as m:ss or h:mm:ss, as the guide writes durations (domain T20)."""
    if seconds is None:
        return "–"
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def clause_text(field: FilterField | None, name: str, operator: str, value: Any) -> str:
    """A clause as a sentence, for example "Call - Duration Between 0:15 – 2:00:00"."""
    label = str(field.label) if field is not None else name
    asked = str(Op(operator).label) if operator in Op.values else operator
    if operator in UNARY:
        return f"{label} {asked}"
    if operator == Op.BETWEEN:
        return f"{label} {asked} {_shown(field, value[0])} – {_shown(field, value[1])}"
    return f"{label} {asked} {_shown(field, value)}"


def seen_and_rule(field: FilterField | None, operator: str, seen: Any, value: Any) -> tuple[str, str]:
    """What a clause saw and what it wants, as "Why?" shows them."""
    members: Sequence[Any] = seen if isinstance(seen, list) else [seen]
    found = ", ".join(_shown(field, member) for member in members if member not in (None, "")) or _("none")
    if operator == Op.BETWEEN:
        low, high = (_shown(field, bound) for bound in value)
        return found, _("between %(low)s and %(high)s") % {"low": low, "high": high}
    wanted = _shown(field, value)
    rules = {
        Op.IS.value: wanted,
        Op.IS_NOT.value: _("not %(value)s") % {"value": wanted},
        Op.CONTAINS.value: _("contains %(value)s") % {"value": wanted},
        Op.EMPTY.value: _("empty"),
        Op.NOT_EMPTY.value: _("not empty"),
    }
    return found, rules.get(operator, wanted)


def cause_text(cause: Cause, fields: Mapping[str, FilterField]) -> str:
    """Why records would be left out, in a few words: no licence, too short, too long, the clause, or the reason."""
    short = {
        Reason.NO_LICENSE.value: _("no licence"),
        f"{Reason.FILTERED.value}:access_scope": _("outside the access scope"),
        f"{Reason.FILTERED.value}:engine.visibility": _("engine of another tenant"),
        f"{Reason.FILTERED.value}:engine.meant": _("no engine of the job is meant for it"),
    }
    if cause.reason in short:
        return short[cause.reason]
    if not cause.gate:
        return Reason.label_of(cause.reason)
    _prefix, name, operator = cause.gate.split(":", 2)
    if name == "call.duration" and cause.side:
        return _("too short") if cause.side == "below" else _("too long")
    return _("not “%(clause)s”") % {"clause": clause_text(fields.get(name), name, operator, cause.value)}


def answer_text(answer: Answer, fields: Mapping[str, FilterField]) -> str:
    """The preview in one sentence, with a clear word when nothing or everything matches."""
    if not answer.judged:
        return _("There is no record yet that could be judged.")
    judged, matched = f"{answer.judged:,}", f"{answer.matched:,}"
    if answer.matched == answer.judged:
        return _("All of the last %(judged)s records match: nothing would be left out.") % {"judged": judged}
    causes = ", ".join(f"{cause_text(cause, fields)} {number:,}" for cause, number in answer.causes)
    values = {"judged": judged, "matched": matched, "dropped": f"{answer.judged - answer.matched:,}", "causes": causes}
    if not answer.matched:
        text = _("None of the last %(judged)s records matches: the job would process nothing. Dropped by: %(causes)s.")
        return text % values
    return _("Of the last %(judged)s records %(matched)s match; %(dropped)s dropped by: %(causes)s.") % values


def _shown(field: FilterField | None, value: Any) -> str:
    if isinstance(value, int) and (field is None or field.type != ValueType.NUMBER):
        return clock(value)
    choices = {key: str(label) for key, label in field.choices} if field is not None else {}
    return choices.get(str(value), str(value))

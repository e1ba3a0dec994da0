"""What the page of a try shows: sums for all, answers for those who may read the conversations."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from aiassistant.executing.flags import Flag
from aiassistant.executing.models import Execution
from aiassistant.library.models import AITaskVersion
from aiassistant.playground.models import PlaygroundRun
from aiassistant.playground.results import CURRENT, DRAFT, SIDES, Side, differing, names_of
from conversations.models import Call
from core.money import money_number, sums_text

LOOKS = {"completed": "ok", "failed": "error"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One version in one row."""

    text: str = ""
    note: str = ""
    badge: str = ""
    items: Sequence[str] = ()
    quotes: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One output, or one fact, of all versions. ``code``: the label is a name of an output."""

    label: str
    cells: Sequence[Cell]
    differs: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One conversation."""

    title: str
    url: str
    at: Any
    rows: Sequence[Row] = field(default_factory=tuple)


def sides_of(run: PlaygroundRun) -> list[str]:
    """The versions that are compared, the one that runs first."""
    return [name for name in SIDES if name == DRAFT or run.current is not None]


def columns_of(run: PlaygroundRun) -> list[str]:
    """How the versions are called."""
    draft = _("Unsaved edits") if run.number is None else _("Version %(number)s") % {"number": run.number}
    version = AITaskVersion.objects.filter(pk=run.current).first() if run.current is not None else None
    own = version is not None and version.tenant_id is not None
    running = _("Running: own %(number)s") if own else _("Running: %(number)s")
    names = {DRAFT: draft, CURRENT: running % {"number": version.number if version is not None else "–"}}
    return [names[name] for name in sides_of(run)]


def tiles_of(run: PlaygroundRun) -> list[dict[str, str]]:
    """The sums so far."""
    sums = run.figures.get("sides", {})
    columns = dict(zip(sides_of(run), columns_of(run), strict=True))
    tiles = [{"label": _("Conversations answered"), "value": str(run.done), "note": ""}]
    if CURRENT in columns:
        tiles.append({"label": _("With differences"), "value": str(run.figures.get("different", 0)), "note": ""})
    for name, column in columns.items():
        mine = sums.get(name, {})
        tokens = _("%(n)s tokens") % {"n": f"{mine.get('prompt', 0) + mine.get('completion', 0):,}"}
        facts = [tokens, _("%(n)s ms") % {"n": f"{mine.get('latency', 0):,}"}]
        facts += [_("%(n)s failed") % {"n": mine["failed"]}] if mine.get("failed") else []
        facts += [_("%(n)s repairs") % {"n": mine["repairs"]}] if mine.get("repairs") else []
        label = _("Cost: %(version)s") % {"version": column}
        tiles.append({"label": label, "value": sums_text(mine.get("cost", {})), "note": ", ".join(facts)})
    if CURRENT in columns:
        value = signed(sums.get(CURRENT, {}).get("cost", {}), sums.get(DRAFT, {}).get("cost", {}))
        tiles.append({"label": _("Difference of cost"), "value": value, "note": ""})
    return tiles + _months(run, columns)


def _months(run: PlaygroundRun, columns: Mapping[str, str]) -> list[dict[str, str]]:
    """What a month would cost if all conversations that pass cost as much as those that were tried."""
    tiles = []
    for name, number in run.figures.get("month", {}).items():
        mine = run.figures.get("sides", {}).get(name, {})
        asked = mine.get("asked", 0)
        if name in columns and asked:
            cost = {currency: round(micros * number / asked) for currency, micros in mine.get("cost", {}).items()}
            note = _("%(n)s conversations a month") % {"n": f"{number:,}"}
            label = _("A month: %(version)s") % {"version": columns[name]}
            tiles.append({"label": label, "value": sums_text(cost), "note": note})
    return tiles


def signed(old: Mapping[str, int], new: Mapping[str, int]) -> str:
    """What the new costs more or less, by currency."""
    found = []
    for currency in sorted({*old, *new}):
        more = new.get(currency, 0) - old.get(currency, 0)
        sign = "+" if more > 0 else "−" if more < 0 else "±"
        found.append(f"{sign}{money_number(abs(more))} {currency}")
    return ", ".join(found) or "–"


def cards_of(run: PlaygroundRun, bodies: Mapping[uuid.UUID, Any], calls: Mapping[uuid.UUID, Call]) -> list[Card]:
    """The conversations that are answered and may be read, in their order."""
    found = []
    for pk in run.records:
        call = calls.get(pk)
        if call is None or pk not in bodies:
            continue
        sides = {name: Side.loaded(side) for name, side in bodies[pk].items()}
        url = reverse("conversations:call", args=[pk])
        order = [sides.get(name, Side(Execution.State.SKIPPED)) for name in sides_of(run)]
        found.append(Card(call.external_id or str(pk), url, call.started_at, _rows(order, set(differing(sides)), url)))
    return found


def _rows(order: Sequence[Side], different: set[str], url: str) -> list[Row]:
    rows = [
        Row(name, [_answer(side, name, url) for side in order], name in different, code=True)
        for name in names_of(order)
    ]
    rows.append(Row(_("Status"), [_ended(side) for side in order]))
    if any(side.left_out for side in order):
        rows.append(Row(_("Filters and limits would leave it out"), [Cell(side.left_out) for side in order]))
    if any(side.problems for side in order):
        rows.append(Row(_("Wrong answers"), [Cell("" if s.problems else "–", items=s.problems) for s in order]))
    numbers = {
        _("Tokens"): [f"{side.tokens:,} ({side.prompt:,} + {side.completion:,})" for side in order],
        _("Milliseconds"): [f"{side.latency:,}" for side in order],
        _("Requests"): [_requests(side) for side in order],
        _("Cost"): [sums_text({side.currency: side.cost} if side.currency else {}) for side in order],
        _("Engine"): [" · ".join(filter(None, (side.engine, side.model))) for side in order],
    }
    return rows + [Row(label, [Cell(text) for text in texts]) for label, texts in numbers.items()]


def _answer(side: Side, name: str, url: str) -> Cell:
    quotes = [
        {
            "text": quote["quote"],
            "verified": quote["verified"],
            "url": f"{url}#turn-{quote['turn']}" if quote["turn"] is not None and quote["verified"] else "",
        }
        for quote in side.evidence.get(name, ())
    ]
    return Cell(side.values.get(name, ""), side.explanations.get(name, ""), quotes=quotes)


def _ended(side: Side) -> Cell:
    note = " ".join(filter(None, (side.detail, ", ".join(map(Flag.label_of, side.flags)))))
    return Cell(str(Execution.State(side.state).label), note, LOOKS.get(side.state, "skipped"))


def _requests(side: Side) -> str:
    return _("%(n)s, %(repairs)s repairs") % {"n": side.requests, "repairs": side.repairs}

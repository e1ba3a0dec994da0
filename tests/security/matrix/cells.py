"""Firing the cells of one route and comparing what comes back with its row."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.security.matrix.policy import (
    MISSING,
    NOBODY,
    NOT_A_VERB,
    PRINCIPALS,
    PUBLIC,
    REFUSED,
    SEES,
    SIGNED_IN,
    VERBS,
    WHO,
    PerObject,
    Row,
    Statuses,
)
from tests.security.matrix.world import FOREIGN, FOREIGN_CALL, SECRET, WORDS, World

NO_OBJECT = ""
TO_SIGN_IN: Statuses = frozenset({302})
TOKENS = re.compile(r'(name="csrfmiddlewaretoken" value="|name="csrf-token" content="|nonce="|req_)[\w+/=-]+')


def routes(resolver: URLResolver | None = None, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route of the product by its full name."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from routes(entry, inner)
        else:
            yield f"{namespace}{entry.name}", entry


@dataclass(frozen=True, slots=True)
class Cell:
    """One request."""

    verb: str
    who: str
    relation: str
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``text`` holds headers and body."""

    status: int
    text: str
    location: str


class RouteCheck:
    """All cells of one route. ``problems`` holds a sentence for each that is not as its row says."""

    def __init__(self, world: World, name: str, row: Row) -> None:
        self.world, self.row = world, row
        self.name, _mark, self.query = name.partition("?")
        self.relations = list(SEES[row.at]) if row.at else [NO_OBJECT]
        self.problems: list[str] = []
        self.fired = 0

    def run(self, *, until_first: bool = False) -> list[str]:
        """Fire the cells of every principal; ``until_first``: until a problem is found."""
        for who in PRINCIPALS:
            missing = {}
            for cell in self.cells(who):
                answer = self.fire(cell, {})
                if until_first and self.problems:
                    return self.problems
                if cell.verb == "GET" and answer.status == 404:
                    missing[cell.relation] = self.plain(answer, cell)
            self.same(who, missing)
            self.accepted(who)
        return self.problems

    def cells(self, who: str) -> Iterator[Cell]:
        """GET and the route's own verbs on every object, the other verbs on the first.

        Who may not open the route at all is refused before an object is looked for: one of acme's and one of globex's
        stand for all. Of nobody only the anonymous one tries everything.
        """
        verbs = self.row.verbs.split()
        relations, tried = self.relations, VERBS
        if who in "12":
            relations, tried = relations[:1], VERBS[:2]
        elif not self.permitted(who):
            relations = [name for name in relations if name in (relations[0], "foreign")]
        for number, relation in enumerate(relations):
            for verb in tried:
                if verb == "GET" or number == 0 or verb in verbs:
                    yield Cell(verb, who, relation, self.url(relation) + (f"?{self.query}" if self.query else ""))
            if "GET" in verbs and self.permitted(who):
                more = [self.row.query, "?format=csv"] if self.row.listing else [self.row.query]
                yield from (Cell("GET", who, relation, self.url(relation) + query) for query in more if query)

    def permitted(self, who: str) -> bool:
        """Whether the route's own right is held."""
        return self.row.codes in (PUBLIC, SIGNED_IN) or any(who in WHO[code] for code in self.row.codes.split())

    def url(self, relation: str) -> str:
        """The address of the object."""
        parts = {name: self.part(kind) for name, kind in self.row.fixed.items()}
        if self.row.at:
            parts[self.row.param] = self.world.ids[self.row.at][relation]
        return reverse(self.name, kwargs=parts)

    def part(self, kind: str) -> Any:
        """A further part of the address."""
        return kind[1:] if kind.startswith("=") else self.world.first(kind)

    def fire(self, cell: Cell, body: Mapping[str, object], expected: Statuses | None = None) -> Answer:
        """Send one request inside a savepoint, note what is wrong with the answer, and take everything back."""
        self.fired += 1
        client: Client = self.world.clients[cell.who]
        cookies = {name: morsel.value for name, morsel in client.cookies.items()}
        expected = self.expected(cell) if expected is None else expected
        # Everything is taken back after each cell, so one sum stands for all.
        touches = (
            cell.verb == "POST"
            and cell.who != "P"
            and not self.row.shared
            and expected not in (REFUSED, TO_SIGN_IN, NOT_A_VERB)
        )
        with transaction.atomic():
            response = client.generic(cell.verb, cell.url) if cell.verb != "POST" else client.post(cell.url, body)
            content = b"".join(response.streaming_content) if response.streaming else response.content
            answer = Answer(
                response.status_code,
                f"{response.headers}\n{content.decode(errors='replace')}",
                response.headers.get("Location", ""),
            )
            changed = touches and self.world.checksum() != self.world.untouched
            transaction.set_rollback(True)
        client.cookies.clear()
        for name, value in cookies.items():
            client.cookies[name] = value
        self.judge(cell, answer, expected)
        if changed:
            self.note(cell, "a row of globex was changed")
        return answer

    def expected(self, cell: Cell) -> Statuses:
        """The statuses that the policy allows for the cell."""
        row, verbs = self.row, self.row.verbs.split()
        if cell.who in NOBODY and row.codes != PUBLIC:
            return TO_SIGN_IN
        if cell.who == "V" and cell.verb != "GET" and not row.harmless:
            return REFUSED
        if not self.permitted(cell.who):
            return REFUSED
        seen = not row.at or cell.who in SEES[row.at][cell.relation]
        if cell.verb not in verbs:
            return NOT_A_VERB if seen else NOT_A_VERB | MISSING
        if not seen:
            return MISSING
        needs = row.needs if isinstance(row.needs, str) else row.needs.get(cell.relation, "")
        if needs and cell.who not in WHO[needs]:
            return REFUSED
        if row.export_needs and "format=" in cell.url and cell.who not in WHO[row.export_needs]:
            return REFUSED
        if cell.verb == "GET":
            return _for(row.get, cell.relation, frozenset({200}))
        if row.post_needs and cell.who not in WHO[row.post_needs]:
            return REFUSED
        return _for(row.post, cell.relation, frozenset({200, 302, 400, 409, 422}))

    def judge(self, cell: Cell, answer: Answer, expected: Statuses) -> None:
        """Status, where a redirect goes, and words that this principal must not see."""
        if answer.status not in expected:
            self.note(cell, f"{answer.status} instead of {sorted(expected)}")
        elif expected is TO_SIGN_IN and not answer.location.startswith("/sign-in/"):
            self.note(cell, f"goes to {answer.location} instead of the sign-in page")
        for canary, fine in ((FOREIGN, "PW"), (FOREIGN_CALL, ""), (WORDS, WHO["reading"]), (SECRET, "C")):
            # A word of the address may come back in the answer.
            if (
                cell.who not in fine
                and canary in answer.text.replace(f"{FOREIGN_CALL}?", "")
                and canary not in cell.url
            ):
                self.note(cell, f"shows “{canary}”")

    def same(self, who: str, missing: Mapping[str, str]) -> None:
        """Foreign and unknown are one answer, byte for byte."""
        if "foreign" in missing and "unknown" in missing and missing["foreign"] != missing["unknown"]:
            self.problems.append(f"{self.name} {PRINCIPALS[who]}: foreign and unknown differ")

    def plain(self, answer: Answer, cell: Cell) -> str:
        """The answer without what differs in every request, and without the object's own id."""
        text = TOKENS.sub(r"\1", answer.text.partition("\n")[2])
        return text.replace(self.url(cell.relation), "URL")

    def accepted(self, who: str) -> None:
        """A valid body is accepted from whoever may post it."""
        if not self.row.valid:
            return
        cell = Cell("POST", who, self.relations[0], self.url(self.relations[0]))
        expected = self.expected(cell)
        body = {name: self.value(value) for name, value in self.row.valid.items()}
        self.fire(cell, body, frozenset({302}) if expected & {302} else expected)

    def value(self, value: object) -> object:
        """``@kind`` stands for the first object of the kind."""
        return self.world.first(value[1:]) if isinstance(value, str) and value.startswith("@") else value

    def note(self, cell: Cell, what: str) -> None:
        """Remember a problem."""
        on = f" on {cell.relation}" if cell.relation else ""
        self.problems.append(f"{self.name}: {cell.verb} {cell.url} by {PRINCIPALS[cell.who]}{on}: {what}")


def _for(statuses: PerObject, relation: str, usual: Statuses) -> Statuses:
    return statuses.get(relation, usual) if isinstance(statuses, Mapping) else statuses

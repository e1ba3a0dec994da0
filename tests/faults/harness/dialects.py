"""The languages of providers that the harness can speak: one entry is all that a further one needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """A fake provider (a module that is run with the file for its port) and the engine of the product that talks to it.

    ``misdeeds`` are the faults it knows, as its module describes them. ``references`` says whether it lets us find a job by
    a reference of our own: then one generation never has two uploads under one reference (R7).
    """

    name: str
    module: str
    engine_type: str
    misdeeds: tuple[Mapping[str, Any], ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    references: bool = True


HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
NATIVE = Dialect(
    name="native",
    module="tests.faults.harness.provider",
    engine_type="native_v2",
    settings={"request_timeout_s": 3, "concurrency": 16},
    misdeeds=(
        {"on": "submit", "kind": "status", "status": 429, "headers": {"Retry-After": "2"}},
        {"on": "poll", "kind": "status", "status": 429},
        {"on": "submit", "kind": "status", "status": 429, "headers": {"Retry-After": "Sat, 21 Nov 2099 00:00:00 GMT"}},
        {"on": "poll", "kind": "status", "status": 429, "headers": {"Retry-After": "1e12"}},
        {"on": "submit", "kind": "status", "status": 500},
        {"on": "fetch", "kind": "status", "status": 500},
        {"on": "poll", "kind": "status", "status": 502, "body": HTML, "content_type": "text/html"},
        {"on": "delete", "kind": "status", "status": 500},
        {"on": "delete", "kind": "lost"},
        {"on": "submit", "kind": "status", "status": 401},
        {"on": "poll", "kind": "status", "status": 403},
        {"on": "submit", "kind": "late", "seconds": 5},
        {"on": "poll", "kind": "late", "seconds": 5},
        {"on": "submit", "kind": "lost"},
        {"on": "fetch", "kind": "lost"},
        {"on": "submit", "kind": "truncated"},
        {"on": "fetch", "kind": "truncated"},
        {"on": "poll", "kind": "garbage"},
        {"on": "submit", "kind": "garbage"},
        {"on": "fetch", "kind": "loris"},
        {"on": "submit", "kind": "loris"},
        {"on": "poll", "kind": "hint", "retry_after": "-1"},
        {"on": "poll", "kind": "hint", "retry_after": "0"},
        {"on": "poll", "kind": "hint", "retry_after": "1e12"},
        {"on": "submit", "kind": "hint", "retry_after": "soon"},
        {"on": "submit", "kind": "hint", "retry_after": "nan"},
        {"on": "poll", "kind": "hint", "retry_after": "inf"},
        {"on": "poll", "kind": "backwards"},
        {"on": "fetch", "kind": "backwards"},
        {"on": "fetch", "kind": "empty"},
        {"on": "poll", "kind": "error in success"},
        {"on": "submit", "kind": "error in success"},
        {"on": "poll", "kind": "other job"},
        {"on": "fetch", "kind": "other job"},
        {"on": "fetch", "kind": "changed text"},
        {"on": "poll", "kind": "vanish"},
        {"on": "fetch", "kind": "vanish"},
    ),
)
DIALECTS = {dialect.name: dialect for dialect in (NATIVE,)}

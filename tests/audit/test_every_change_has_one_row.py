"""Each request that changes something has exactly one audit row, a refused one has none, and no page is left out (A1)."""

from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from audit.models import AuditEntry
from tests.audit.changes import EXEMPT, ROWS, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client_for, people, system, acme) -> World:
    return World(client_for, people, system, acme)


def rows_after(last: int) -> list[tuple[str, str, str]]:
    found = AuditEntry.objects.filter(pk__gt=last).order_by("pk")
    return [(entry.action, entry.actor, entry.request_id) for entry in found]


def last_entry() -> int:
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


@pytest.mark.parametrize("name", ROWS)
def test_a_change_has_one_row_and_a_refused_one_none(world, name):
    change = ROWS[name](world)
    address = reverse(name.partition(" / ")[0], args=change.args) + change.query
    before = last_entry()
    if change.bad is not None:
        refused = change.client.post(address, change.bad)
        assert 400 <= refused.status_code < 500, refused.status_code
        assert rows_after(before) == []
    answer = change.client.post(address, change.good)
    assert answer.status_code == change.good_status, answer.content.decode()[:2000]
    if answer.streaming:
        answer.getvalue()
    (entry,) = rows_after(before)
    assert entry[1] in {"root@system", "ada@acme"}
    assert entry[2].startswith("req_")


def named_routes(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, object]]:
    """The URL name of every route with its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            yield from named_routes(entry, entry.namespace or space)
        elif isinstance(entry, URLPattern):
            yield f"{space}:{entry.name}", entry


# Functions that answer a POST like a GET: they read, or lead elsewhere.
READING = {
    "audio_links:audio",
    "core:healthz",
    "core:readyz",
    "jobs:bulk_file",
    "jobs:definitions",
    "jobs:job",
    "jobs:record_json",
    "miaop:meeting",
    "miaop:summary",
    "miaop:task",
    "miaop:tasks",
    "miaop:transcript",
    "realms:authorization",
    "realms:certs",
    "realms:discovery",
    "realms:introspection",
    "realms:realm",
    "realms:userinfo",
    "tenants:tenants_alias",
    "usage:metrics",
    "usage:transcription",
    "conversations:call",
    "conversations:call_audio",
    "conversations:call_peaks",
    "conversations:call_words",
    "conversations:call_transcript",
    "conversations:call_thread",
}


def test_every_page_that_takes_a_post_has_its_row_or_a_reason_why_not():
    covered = {name.partition(" / ")[0] for name in ROWS}
    missing = []
    for name, entry in named_routes():
        page = getattr(entry.callback, "view_class", None)
        posts = name not in READING if page is None else hasattr(page, "post") and "post" in page.http_method_names
        if posts and name not in covered and name not in EXEMPT:
            missing.append(name)
    assert missing == [], "add a row to tests/audit/changes"


def test_no_row_and_no_exemption_names_a_page_that_is_gone():
    known = {name for name, _entry in named_routes()}
    assert {name.partition(" / ")[0] for name in ROWS} | set(EXEMPT) | READING <= known

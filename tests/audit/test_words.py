"""The trail is shown in words; what is stored, filtered and exported are the codes."""

import ast
import csv
import io
import re
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse

from aiassistant.family import AI
from audit.models import AuditEntry
from audit.words import ACTIONS
from tests.audit.conftest import say
from tests.audit.test_pages import TRAIL, body_of, shown
from transcription.family import SPEECH

pytestmark = pytest.mark.django_db
APPS = ("accounts", "audit", "aiassistant", "conversations", "jobs", "licensing", "queues", "tenants", "usage")
WRITERS = {"append", "append_many", "grouped", "seen", "_audit", "_record"}
CODE = re.compile(r"[a-z_]+\.[a-z_]+")


def written_in(path: Path) -> set[str]:
    """The actions that calls of this module name as constants."""
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "id", "") in WRITERS]
    inside = [
        node
        for call in named
        for argument in [*call.args, *(word.value for word in call.keywords if word.arg in {"action", None})]
        for node in ast.walk(argument)
    ]
    texts = {node.value for node in inside if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if CODE.fullmatch(text)}


def test_every_action_that_the_apps_write_has_words():
    root = Path(settings.BASE_DIR)
    written = {code for app in APPS for path in (root / app).rglob("*.py") for code in written_in(path)}
    # The services of engines name an action by the family of the engine.
    verbs = {
        part.value
        for node in ast.walk(ast.parse((root / "engines" / "services.py").read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_audit"
        for part in node.args[1:2]
        if isinstance(part, ast.Constant)
    }
    verbs |= {"enabled", "disabled", "several_tested", "saved_and_tested"}
    assert {"created", "changed", "paused"} <= verbs
    written |= {f"{family.key}.{verb}" for family in (SPEECH, AI) for verb in verbs}
    assert {"queue.created", "job.paused", "speech_engine.changed", "user.signed_in", "export.made"} <= written
    assert written - ACTIONS.keys() == set()


def test_the_list_shows_words_and_names_and_the_codes_behind_them(acme, people, client_for):
    say(acme, "user.changed", target_type="user", target_id=str(people.agent.pk))
    say(acme, "queue.created", target_type="queue", target_id="7", details={"name": "Night <calls>"})
    say(acme, "access.denied", target_type="page", target_id="tenants:view_as", details={"path": "/x/view-as/"})
    say(acme, "unheard.of", target_type="thing", target_id="1")
    page = shown(client_for(people.tenant_admin))
    assert '<span title="user.changed">User changed</span>' in page
    assert f"<span>User <bdi>{people.agent.username}</bdi>" in page
    assert "<span>Queue <bdi>Night &lt;calls&gt;</bdi>" in page
    assert "<bdi>/x/view-as/</bdi>" in page
    assert ">unheard.of<" in page


def test_a_user_of_another_tenant_is_not_named(acme, people, client_for):
    say(acme, "user.changed", target_type="user", target_id=str(people.stranger.pk))
    page = shown(client_for(people.tenant_admin), action="user.changed")
    assert str(people.stranger.pk) in page
    assert f"<bdi>{people.stranger.username}</bdi>" not in page


@pytest.mark.parametrize("typed", ["user.changed", "user.ch", "USER CHANGED"])
def test_actions_are_found_by_code_and_by_words(acme, people, client_for, typed):
    say(acme, "user.changed", target_type="user", target_id="1")
    say(acme, "user.created", target_type="user", target_id="2")
    page = shown(client_for(people.tenant_admin), action=typed)
    assert 'title="user.changed"' in page
    assert 'title="user.created"' not in page


def test_an_entry_shows_fields_in_words_and_the_codes_beside_them(acme, people, client_for):
    say(
        acme,
        "user.changed",
        target_type="user",
        target_id=str(people.agent.pk),
        before={"is_active": False, "odd_one": 1},
        after={"is_active": True, "odd_one": 2},
        details={"parts": [{"action": "licences.granted", "target_type": "user", "target_id": "9"}]},
    )
    entry = AuditEntry.objects.get(action="user.changed")
    page = client_for(people.tenant_admin).get(reverse("audit:entry", args=[entry.pk])).content.decode()
    for text in (
        "User changed",
        "user.changed",
        '<span title="is_active">Enabled</span>',
        "<del><bdi>no</bdi></del>",
        "<ins><bdi>yes</bdi></ins>",
        '<code dir="ltr">odd_one</code>',
        f"<bdi>{people.agent.username}</bdi>",
        str(people.agent.pk),
        "Licences granted",
    ):
        assert text in page, text


def test_an_export_holds_codes_ids_and_times_in_iso_8601(acme, people, client_for):
    say(acme, "user.changed", target_type="user", target_id=str(people.agent.pk))
    answer = client_for(people.tenant_admin).get(TRAIL, {"action": "user.changed", "format": "csv"})
    (row,) = csv.DictReader(io.StringIO(body_of(answer)))
    entry = AuditEntry.objects.get(action="user.changed")
    moment = datetime.fromisoformat(row["Time"])
    assert (moment.utcoffset() is not None, moment) == (True, entry.at.replace(microsecond=0))
    assert (row["Action"], row["Object"], row["Object id"]) == ("user.changed", "user", str(people.agent.pk))

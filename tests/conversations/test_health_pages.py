"""Transcript health where people see it: stored with the transcript, on the call page, in the list and its exports."""

import csv
import io
import re

import pytest

from accounts import permissions
from accounts.permissions import DefaultRole, Permission
from conversations.health.judging import Recorded
from conversations.models import Transcript
from conversations.preparing import prepare_transcript
from conversations.services import NewTranscript, store_transcripts
from core.transcripts import TranscriptData
from tests.conversations.calls import stored_call, transcript
from tests.conversations.test_health import ENGLISH, peaks, turn

MINUTE = 60_000


def store(tenant, call, data: TranscriptData, picture: list[int]) -> None:
    prepared = prepare_transcript(data, data.duration_ms, (), Recorded([picture], "en-US"))
    store_transcripts(tenant=tenant, items=[NewTranscript(call.pk, prepared, "Tones")])


@pytest.fixture
def calls(acme, inside):
    """A good transcript, a poor one, one of before transcripts were judged, and a call without."""
    with inside(acme):
        found = {name: stored_call(acme, name, username="alan") for name in ("good", "poor", "old", "none")}
        good = TranscriptData("en-US", MINUTE, "m", (turn(ENGLISH), turn("yes that is right", 20_000, channel=1)))
        store(acme, found["good"], good, peaks((0, 22_000)))
        poor = TranscriptData("en-US", MINUTE, "m", (turn("thank you " * 20, sure=0.3),))
        store(acme, found["poor"], poor, peaks((30_000, MINUTE)))
        store(acme, found["old"], transcript("hello there"), [])
        Transcript.objects.filter(call=found["old"]).update(health_score=None, health_flags=[], health_figures={})
    return found


def shown(client, query: str) -> set:
    response = client.get(f"/calls/?{query}")
    assert response.status_code == 200
    return {row.record.external_id for row in response.context["table"].paginated_rows}


def test_score_and_flags_are_stored_with_their_figures(calls, acme, inside):
    with inside(acme):
        poor = Transcript.objects.get(call=calls["poor"])
        good = Transcript.objects.get(call=calls["good"])
    assert poor.health_score == 0
    assert (
        set(poor.health_flags)
        == set(poor.health_figures)
        == {
            "low_confidence",
            "repetition",
            "over_silence",
            "low_coverage",
        }
    )
    assert poor.health_figures["repetition"] == 20
    assert (good.health_score, good.health_flags) == (100, [])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("health_min=80", {"good"}),
        ("health_max=79", {"poor"}),
        ("health_min=0&health_max=100", {"good", "poor"}),
        ("health_flag=repetition", {"poor"}),
        ("health_flag=one_sided", set()),
        ("sort=health_score", {"good", "poor", "old", "none"}),
    ],
)
def test_the_list_filters_and_sorts_by_health(calls, people, client_for, query, found):
    assert shown(client_for(people.tenant_admin), query) == found


@pytest.mark.parametrize("query", ["health_min=-1", "health_max=101", "health_min=x", "health_flag=tired"])
def test_a_filter_by_health_that_breaks_its_rule_is_refused(calls, people, client_for, query):
    assert client_for(people.tenant_admin).get(f"/calls/?{query}").status_code == 400


def test_only_the_current_transcript_counts(calls, acme, people, inside, client_for):
    with inside(acme):
        store(acme, calls["poor"], TranscriptData("en-US", MINUTE, "m", (turn(ENGLISH),)), peaks((0, 17_000)))
    assert shown(client_for(people.tenant_admin), "health_flag=repetition") == set()


def test_the_export_has_score_and_codes(calls, people, client_for):
    page = client_for(people.tenant_admin).get("/calls/?format=csv&sort=external_id")
    content = page.getvalue() if page.streaming else page.content
    rows = {row["External id"]: row for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig")))}
    assert rows["good"]["Health"] == "100"
    assert rows["good"]["Doubts about the transcript"] == ""
    assert rows["poor"]["Doubts about the transcript"].split("; ")[0] == "low_confidence"
    assert rows["old"]["Health"] in {"", "–"}


def test_the_call_page_says_what_is_wrong_in_words_with_the_figure(calls, people, client_for):
    client = client_for(people.tenant_admin)
    poor = client.get(f"/calls/{calls['poor'].pk}/").content.decode()
    assert "Transcript health" in poor
    assert "A phrase stands there 20 times in a row." in poor
    good = client.get(f"/calls/{calls['good'].pk}/").content.decode()
    assert re.search(r"100</bdi>\s*· Good", good)
    assert "Repeats itself" not in good
    for name in ("old", "none"):
        assert "Transcript health" not in client.get(f"/calls/{calls[name].pk}/").content.decode()


def test_the_dynamics_are_shown_to_those_who_may_read_the_transcript(calls, people, client_for, monkeypatch):
    page = client_for(people.tenant_admin).get(f"/calls/{calls['good'].pk}/")
    assert "Who talks how" in page.content.decode()
    talk = page.context["talk"]
    assert [side["turns"] for side in talk["sides"]] == [1, 1]
    assert sum(side["share"] for side in talk["sides"]) == 100
    assert talk["interruptions"] == 0
    agent, address = client_for(people.agent), f"/calls/{calls['good'].pk}/"
    assert "Who talks how" in agent.get(address).content.decode()
    rights = permissions.ROLE_PERMISSIONS[DefaultRole.AGENT] - {Permission.TRANSCRIPT_VIEW}
    monkeypatch.setitem(permissions.ROLE_PERMISSIONS, DefaultRole.AGENT, rights)
    refused = agent.get(address).content.decode()
    assert "Who talks how" not in refused
    assert "Transcript health" in refused

"""Rights and access scopes hold wherever data shows: lists, searches, pages, audio, exports, counts (domain L10–L13)."""

import json

import pytest
from django.urls import reverse

from accounts.models import User
from accounts.roles.services import save_role
from accounts.services import create_user
from conversations.models import Call
from jobs.models import Record
from tenants.models import TenantGroup
from tests.conftest import PASSWORD
from tests.conversations.calls import audio_file, stored_call, transcribed
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401

pytestmark = pytest.mark.django_db


def user_with(tenant, editor, name: str, codes: list[str], scope: str = "system", **fields) -> User:
    """A user of the tenant with a role of exactly these codes."""
    role = save_role(role=None, tenant=tenant, name=f"Role of {name}", scope=scope, codes=codes, editor=editor)
    return create_user(tenant=tenant, username=name, password=PASSWORD, role=role, actor="test", **fields)


def exported(client, path: str, **query) -> set[str]:
    """The first cell of each exported row: of calls, the external id."""
    lines = b"".join(client.get(path, {**query, "format": "csv"}).streaming_content).decode("utf-8-sig").splitlines()
    return {line.split(",")[0] for line in lines[1:]}


@pytest.fixture
def calls(acme, inside, tmp_path):
    """An open and a confidential call of alan; the words of the confidential transcript occur nowhere else."""
    with inside(acme):
        first = stored_call(acme, "open-1", audio=audio_file(tmp_path), username="alan")
        secret = stored_call(acme, "secret-1", username="alan", confidential=True)
        transcribed(acme, first, "hello you")
        transcribed(acme, secret, "merger tomorrow")
    return first, secret


SEEING = ["home.view", "calls.own.view", "calls.others.view", "calls.others.playback", "calls.own.playback"]


def test_without_the_right_a_confidential_call_does_not_exist(client_for, acme, people, calls):
    _first, secret = calls
    codes = [*SEEING, "calls.others.download", "call_attributes.transcript.view"]
    blind = client_for(user_with(acme, people.platform_admin, "blind", codes))
    cleared = client_for(user_with(acme, people.platform_admin, "cleared", [*codes, "calls.confidential.view"]))
    pages = [
        reverse("conversations:call", args=[secret.pk]),
        reverse("conversations:call_words", args=[secret.pk]),
        *(reverse("conversations:call_transcript", args=[secret.pk, kind]) for kind in ("txt", "srt", "vtt", "json")),
    ]
    for page in pages:
        assert blind.get(page).status_code == 404
        assert cleared.get(page).status_code == 200
    for query, seen in [({}, 1), ({"q": "merger"}, 0), ({"q": "secret-1"}, 0)]:
        for client, number in [(blind, seen), (cleared, seen + 1)]:
            assert client.get("/calls/", query).content.decode().count("<tr data-href") == number, query
            assert len(exported(client, "/calls/", **query)) == number, query
    assert "secret-1" not in blind.get("/").content.decode()
    assert "secret-1" in exported(cleared, "/calls/", q="merger")


def test_also_the_own_agent_and_the_tenant_admin_need_the_right(client_for, people, calls):
    _first, secret = calls
    for person in (people.agent, people.tenant_admin, people.supervisor):
        assert client_for(person).get(reverse("conversations:call", args=[secret.pk])).status_code == 404


def test_the_flag_comes_with_a_call_and_is_true_or_false_only(acme, inside, tmp_path):
    from conversations.importer import Folder, Import, choose_format, entries_of

    for number, value in enumerate([True, False, "yes", 1, None]):
        body = {"external_id": f"c-{number}", "started_at": "2026-11-20T10:00:00Z", "confidential": value}
        (tmp_path / f"{number}.json").write_text(json.dumps(body))
    folder = Folder(tmp_path)
    with inside(acme):
        report = Import(tenant=acme, actor="test", folder=folder).run(
            entries_of(folder, choose_format(folder)), lambda outcome: None
        )
        flags = dict(Call.objects.values_list("external_id", "confidential"))
    folder.close()
    assert flags == {"c-0": True, "c-1": False, "c-4": False}
    assert [outcome.field for outcome in report.outcomes if outcome.result == "refused"] == ["confidential"] * 2


def test_a_csv_says_true_or_false(acme, inside, tmp_path):
    from conversations.importer import Folder, Import, choose_format, entries_of

    rows = ["external_id,started_at,confidential"]
    rows += [f"c-{number},2026-11-20T10:00:00Z,{word}" for number, word in enumerate(["true", "FALSE", "", "maybe"])]
    (tmp_path / "calls.csv").write_text("\n".join(rows))
    folder = Folder(tmp_path)
    with inside(acme):
        Import(tenant=acme, actor="test", folder=folder).run(
            entries_of(folder, choose_format(folder)), lambda outcome: None
        )
        flags = dict(Call.objects.values_list("external_id", "confidential"))
    folder.close()
    assert flags == {"c-0": True, "c-1": False, "c-2": False}


def test_each_attribute_of_a_call_needs_its_right(client_for, acme, people, calls):
    first, _secret = calls
    looking = ["calls.own.view", "calls.others.view"]
    audio = reverse("conversations:call_audio", args=[first.pk])
    export = reverse("conversations:call_transcript", args=[first.pk, "txt"])
    cases = [
        (looking, {"page": 200, "audio": 403, "download": 403, "export": 403}),
        ([*looking, "calls.others.playback"], {"page": 200, "audio": 200, "download": 403, "export": 403}),
        ([*looking, "calls.others.download"], {"page": 200, "audio": 403, "download": 200, "export": 403}),
        ([*looking, "calls.own.playback", "calls.own.download"], {"audio": 403, "download": 403, "export": 403}),
        ([*looking, "call_attributes.transcript.view"], {"page": 200, "audio": 403, "export": 403}),
        ([*looking, "call_attributes.transcript.view", "calls.others.playback"], {"audio": 200, "export": 200}),
        (["calls.own.view"], {"page": 404, "audio": 404, "download": 404}),
        (["home.view"], {"page": 403, "audio": 403, "download": 403, "export": 403}),
    ]
    for number, (codes, expected) in enumerate(cases):
        client = client_for(user_with(acme, people.tenant_admin, f"case{number}", codes))
        for name, status in expected.items():
            url = {"page": reverse("conversations:call", args=[first.pk]), "audio": audio, "export": export}.get(name)
            answer = client.get(url or f"{audio}?download=1")
            b"".join(answer.streaming_content if answer.streaming else [])
            assert answer.status_code == status, (codes, name)
        if "hello" in client.get(reverse("conversations:call", args=[first.pk])).content.decode():
            assert expected.get("export") == 200


@pytest.mark.parametrize(
    ("scope", "group", "managed", "seen"),
    [
        ("user", "Sales", [], set()),
        ("managed_groups", "Sales", [], {"of alan"}),
        ("managed_groups", "", ["Support"], {"of olga"}),
        ("managed_groups", "", [], set()),
        ("system", "", [], {"of alan", "of olga", "of nobody"}),
    ],
)
def test_the_access_scope_bounds_the_calls_of_others(client_for, acme, people, inside, scope, group, managed, seen):
    with inside(acme):
        for name in ("alan", "olga"):
            stored_call(acme, f"of {name}", username=name)
        stored_call(acme, "of nobody")
    viewer = user_with(acme, people.tenant_admin, "vera", SEEING, scope, group=group)
    User.objects.filter(pk=viewer.pk).update(managed_groups=managed)
    assert exported(client_for(viewer), "/calls/") == seen


def test_platform_staff_of_managed_groups_see_the_records_of_those_tenants_alone(
    pipeline,  # noqa: F811
    client_for,
    people,
    acme,
    globex,
    system,
):
    pipeline.call(username="alan")
    pipeline.call(tenant=globex, username="stan")
    pipeline.sweep()
    codes = ["home.view", "jobs.view", "jobs.records.edit"]
    helper = user_with(system, people.platform_admin, "helper", codes, "managed_groups")
    group = TenantGroup.objects.create(name="Retail")
    group.tenants.add(acme)
    helper.managed_tenant_groups.add(group)
    ours, theirs = (Record.objects.get(tenant=tenant) for tenant in (acme, globex))
    client, job = client_for(helper), pipeline.job.pk
    rows = client.get(reverse("jobs:records", args=[job])).context["table"].rows
    assert [row.record.pk for row in rows] == [ours.pk]
    for name in ("record", "record_json"):
        assert client.get(reverse(f"jobs:{name}", args=[job, ours.pk])).status_code == 200
        assert client.get(reverse(f"jobs:{name}", args=[job, theirs.pk])).status_code == 404
    assert client.post(reverse("jobs:record_retry", args=[job, theirs.pk])).status_code == 404
    body = {"action": "delete", "selection": [str(theirs.pk)], "confirmed": "1"}
    client.post(reverse("jobs:records_bulk", args=[job]), body)
    assert Record.objects.filter(pk=theirs.pk).exists()
    rows = client_for(people.platform_admin).get(reverse("jobs:records", args=[job])).context["table"].rows
    assert {row.record.pk for row in rows} == {ours.pk, theirs.pk}
    shown = client_for(helper).get("/").context["tiles"]
    # Figures that nothing is known of yet are a dash.
    assert sum(int(tile["value"]) for tile in shown if tile["value"].isdigit()) == 1

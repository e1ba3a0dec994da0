"""Reads and refusals are in the trail, and what cannot be recorded is not shown (security A2)."""

import pytest
from django.db import connection, transaction
from django.urls import reverse

from audit.models import AuditEntry
from core.middleware import peer_address
from tests.audit.conftest import first_break
from tests.jobs.conftest import pipeline, speech, speech_server  # noqa: F401

pytestmark = pytest.mark.django_db
QUEUES = "/administration/jobs/processing-queues/"


def rows(tenant, action):
    return list(AuditEntry.objects.filter(tenant_id=tenant.pk, action=action).order_by("pk"))


@pytest.fixture
def unwritable():
    """Within the test, no audit row can be written."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry ADD CONSTRAINT full_disk CHECK (false) NOT VALID")


def test_a_refused_page_is_recorded_once_a_minute_without_the_query(client_for, people, acme):
    client = client_for(people.agent)
    for _attempt in range(3):
        assert client.get(QUEUES, {"q": "canary"}).status_code == 403
    assert client.post(f"{QUEUES}add/", {"name": "canary"}).status_code == 403
    denied = rows(acme, "access.denied")
    assert [(e.details["path"], e.details["method"], e.actor) for e in denied] == [
        (QUEUES, "GET", "alan@acme"),
        (f"{QUEUES}add/", "POST", "alan@acme"),
    ]
    assert denied[0].ip == "127.0.0.1"
    assert denied[0].request_id.startswith("req_")
    assert denied[0].actor_tenant_id == acme.pk
    assert "canary" not in str([e.details for e in denied])
    assert first_break(acme.pk) is None


def test_a_page_that_is_shown_and_an_unknown_one_add_no_row(client_for, people, acme):
    client = client_for(people.tenant_admin)
    before = AuditEntry.objects.count()
    assert client.get("/calls/").status_code == 200
    assert client.get("/calls/00000000-0000-0000-0000-000000000000/").status_code == 404
    assert AuditEntry.objects.count() == before


def test_every_export_is_recorded_with_its_rows_and_the_names_of_its_filters(client_for, people, system):
    client = client_for(people.platform_admin)
    response = client.get(QUEUES, {"format": "csv", "q": "canary"})
    assert response.status_code == 200
    b"".join(response.streaming_content)
    (entry,) = rows(system, "export.made")
    assert (entry.details["rows"], entry.details["filters"], entry.details["path"]) == (0, ["q"], QUEUES)
    assert "canary" not in str(entry.details)


def test_playing_downloading_and_reading_are_recorded_but_not_each_piece(
    pipeline,  # noqa: F811
    client_for,
    people,
    acme,
):
    call = pipeline.call()
    pipeline.finish(call)
    client = client_for(people.tenant_admin)
    audio = reverse("conversations:call_audio", args=[call.pk])

    def get(address, **extra):
        response = client.get(address, **extra)
        assert response.status_code in {200, 206}
        return response.getvalue()

    get(audio, headers={"range": "bytes=0-"})
    get(audio, headers={"range": "bytes=500-"})
    get(audio, headers={"range": "bytes=900-1000"})
    assert client.head(audio).status_code == 200
    (played,) = rows(acme, "recording.played")
    assert (played.target_type, played.target_id, played.details["call"]) == ("call", str(call.pk), call.external_id)
    get(audio)
    assert len(rows(acme, "recording.played")) == 2
    get(f"{audio}?download=1")
    assert len(rows(acme, "recording.downloaded")) == 1
    get(reverse("conversations:call", args=[call.pk]))
    get(reverse("conversations:call_transcript", args=[call.pk, "txt"]))
    assert [e.details.get("file") for e in rows(acme, "transcript.read")] == [None, "txt"]
    spoken = " ".join(str(e.details) for e in AuditEntry.objects.all())
    assert "please" not in spoken


def test_whoever_skips_the_first_byte_is_recorded_all_the_same(pipeline, client_for, people, acme):  # noqa: F811
    call = pipeline.call()
    client = client_for(people.supervisor)
    audio = reverse("conversations:call_audio", args=[call.pk])
    for query in ("", "?download=1"):
        for first in (1, 2):
            response = client.get(f"{audio}{query}", headers={"range": f"bytes={first}-"})
            assert response.status_code == 206
            response.getvalue()
    assert len(rows(acme, "recording.played")) == 1
    assert len(rows(acme, "recording.downloaded")) == 1


def test_a_read_that_cannot_be_recorded_is_refused(unwritable, client_for, people):
    client = client_for(people.platform_admin)
    refused = client.get(QUEUES, {"format": "csv"})
    assert refused.status_code == 503
    assert "attachment" not in refused.get("Content-Disposition", "")
    assert client.get(QUEUES).status_code == 200


def test_a_refusal_that_cannot_be_recorded_stays_a_refusal(unwritable, client_for, people):
    assert client_for(people.agent).get(QUEUES).status_code == 403


@pytest.mark.parametrize(
    ("hops", "forwarded", "peer", "address"),
    [
        (0, "203.0.113.1", "10.0.0.9", "10.0.0.9"),
        (1, "203.0.113.1", "10.0.0.9", "203.0.113.1"),
        (1, "6.6.6.6, 203.0.113.1", "10.0.0.9", "203.0.113.1"),
        (2, "6.6.6.6, 203.0.113.1, 10.0.0.8", "10.0.0.9", "203.0.113.1"),
        (2, "203.0.113.1", "10.0.0.9", "10.0.0.9"),
        (1, "nonsense", "10.0.0.9", "10.0.0.9"),
        (1, "203.0.113.1:8080", "10.0.0.9", "10.0.0.9"),
        (1, "", "10.0.0.9", "10.0.0.9"),
        (1, "::ffff:203.0.113.1", "10.0.0.9", "203.0.113.1"),
        (1, "fe80::1%eth0", "10.0.0.9", "fe80::1"),
        (0, "203.0.113.1", "", None),
    ],
)
def test_only_what_our_own_proxies_wrote_counts_as_the_address(settings, hops, forwarded, peer, address):
    settings.TRUSTED_PROXY_COUNT = hops
    assert peer_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}) == address


def test_a_forged_header_does_not_reach_the_trail(client_for, people, acme):
    client_for(people.agent).get(QUEUES, headers={"x-forwarded-for": "6.6.6.6"})
    with transaction.atomic():
        assert rows(acme, "access.denied")[-1].ip == "127.0.0.1"

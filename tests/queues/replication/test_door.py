"""The door for the pairing server: who may come in, what is refused, and that a refusal says one reason and no content."""

import time
from datetime import timedelta

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from core import signed_http as http
from queues.models import ProcessingQueue
from queues.replication.models import Pairing, SeenNonce
from queues.replication.sending import forget_nonces
from queues.replication.snapshots import MAX_BODY
from queues.replication.wire import LIMIT
from tests.queues.replication.other import Other, snapshot

pytestmark = pytest.mark.django_db
PING, QUEUES = "/pairing/v1/ping", "/pairing/v1/queues"
BODY = orjson.dumps(snapshot())


def error(answer):
    return answer.status_code, orjson.loads(answer.content)["error"]


def test_a_signed_ping_is_answered_with_our_name_and_our_signature(other):
    status, said = other.ask(PING, b"{}")
    assert status == 200
    assert said["name"]
    assert Pairing.objects.get().seen_at is not None


def test_a_request_counts_once(other):
    headers = other.headers(QUEUES, BODY)
    assert other.post(QUEUES, BODY, headers).status_code == 200
    assert error(other.post(QUEUES, BODY, headers)) == (401, "replay")
    assert ProcessingQueue.objects.count() == 1


def test_altered_old_foreign_and_unsigned_requests_are_refused_with_the_reason(other, caplog):
    stranger = Other()
    now = int(time.time())
    elsewhere = {**other.headers(QUEUES, BODY), http.TO: str(stranger.parties.sender)}
    for headers, body, reason in [
        (other.headers(QUEUES, BODY), BODY.replace(b"Theirs", b"Others"), "signature"),
        (other.headers(PING, BODY), BODY, "signature"),
        (other.headers(QUEUES, BODY, now=now - 400), BODY, "clock"),
        (other.headers(QUEUES, BODY, now=now + 400), BODY, "clock"),
        (stranger.headers(QUEUES, BODY), BODY, "unknown_sender"),
        (elsewhere, BODY, "wrong_recipient"),
        ({}, BODY, "unsigned"),
    ]:
        answer = other.post(QUEUES, body, headers)
        assert error(answer) == (401, reason)
        assert http.SIGNATURE not in answer.headers
    assert not ProcessingQueue.objects.exists()
    assert not SeenNonce.objects.exists()
    assert "Theirs" not in caplog.text
    assert "unknown_sender" in caplog.text


def test_before_the_fingerprint_is_confirmed_nobody_comes_in(db):
    other = Other()
    assert error(other.post(PING, b"{}", other.headers(PING, b"{}"))) == (401, "not_paired")
    pairing = other.pair(confirmed_at=None)
    assert error(other.post(PING, b"{}", other.headers(PING, b"{}"))) == (401, "not_paired")
    Pairing.objects.filter(pk=pairing.pk).update(confirmed_at=timezone.now())
    assert other.ask(PING, b"{}")[0] == 200


def test_a_body_that_is_too_large_is_not_read_further(other):
    body = b" " * (MAX_BODY + 1)
    assert error(other.post(QUEUES, body, other.headers(QUEUES, body))) == (413, "too_large")
    body = BODY.ljust(MAX_BODY)
    assert other.ask(QUEUES, body)[0] == 200


def test_a_network_whose_requests_fail_too_often_has_to_wait_and_good_ones_do_not_count(other):
    for _number in range(LIMIT + 5):
        assert other.ask(PING, b"{}")[0] == 200
    for _number in range(LIMIT):
        assert other.post(PING, b"{}", {}).status_code == 401
    answer = other.post(PING, b"{}", other.headers(PING, b"{}"))
    assert error(answer) == (429, "too_many_attempts")
    assert int(answer["Retry-After"]) > 0
    elsewhere = other.post(PING, b"{}", other.headers(PING, b"{}"), REMOTE_ADDR="203.0.113.9")
    assert elsewhere.status_code == 200


def test_only_post_and_no_cookie_is_needed_or_given(other, root):
    assert root.get(PING).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(PING, b"{}", content_type="application/json", headers=other.headers(PING, b"{}"))
    assert answer.status_code == 200
    assert not answer.cookies


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b'{"format":1}', "origin_name"),
        (orjson.dumps({**snapshot(), "more": 1}), "more"),
        (orjson.dumps({**snapshot(), "format": 2}), "format"),
        (orjson.dumps({**snapshot(), "version": "1"}), "version"),
        (orjson.dumps({**snapshot(), "version": 0}), "version"),
        (orjson.dumps({**snapshot(), "queue": 2**63}), "queue"),
        (orjson.dumps({**snapshot(), "queue": True}), "queue"),
        (orjson.dumps({**snapshot(), "kind": "purged"}), "kind"),
        (orjson.dumps(snapshot(name="")), "settings.name"),
        (orjson.dumps(snapshot(name="a" * 121)), "settings.name"),
        (orjson.dumps(snapshot(name="a\x00b")), "settings.name"),
        (orjson.dumps(snapshot(name="\u200b")), "settings.name"),
        (orjson.dumps(snapshot(name=" a ")), "settings.name"),
        (orjson.dumps(snapshot()).replace(b'"Theirs"', b'"\\ud800"'), "body"),
        (orjson.dumps(snapshot(enabled=1)), "settings.enabled"),
        (orjson.dumps(snapshot(scope="some")), "settings.scope"),
        (orjson.dumps(snapshot(record_type="fax")), "settings.record_type"),
        (orjson.dumps(snapshot(events=["call.exploded"])), "settings.events"),
        (orjson.dumps(snapshot(events=["integration_event.created"])), "events"),
        (orjson.dumps(snapshot(tenant_groups=["g"] * 501)), "settings.tenant_groups"),
    ],
)
def test_a_signed_body_that_breaks_a_rule_is_answered_with_field_and_rule(other, body, field):
    status, said = other.ask(QUEUES, body)
    assert (status, said["field"]) == (422, field), said
    assert said["message"]
    assert not ProcessingQueue.objects.exists()


def test_nonces_are_forgotten_only_when_their_time_would_be_refused(other):
    other.ask(PING, b"{}")
    assert forget_nonces() == 0
    SeenNonce.objects.update(at=timezone.now() - timedelta(seconds=2 * http.WINDOW_S + 1))
    assert forget_nonces() == 1

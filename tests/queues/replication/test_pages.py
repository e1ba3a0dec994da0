"""The pairing page: each rule with its success and its refusal."""

import pytest
from django.urls import reverse

from audit.models import AuditEntry
from core.signed_http import key_text
from queues.models import ProcessingQueue
from queues.replication.identity import installation, private_key
from queues.replication.models import Installation, Pairing
from tenants.models import AllowedAddress
from tests.queues.replication.other import Other, snapshot
from tests.queues.replication.theirs import TheirServer

pytestmark = pytest.mark.django_db
SERVER, EDIT = "pairing:server", "pairing:edit"


def values(**changes):
    defaults = {"own_name": "Home", "address": "https://93.184.216.34", "public_key": key_text(Other().public)}
    return {**defaults, "version": 0, **changes}


def text_of(page):
    return page.content.decode()


def test_the_key_pair_is_made_once_and_the_private_half_is_nowhere_in_the_clear(root):
    page = text_of(root.get(reverse(SERVER)))
    own = Installation.objects.get()
    assert own.fingerprint in page
    assert own.key_text in page
    assert installation() == own
    raw = private_key(own).private_bytes_raw()
    assert raw not in bytes(own.wrapped_private_key)
    assert raw.hex() not in page


def test_address_and_key_are_judged_and_the_field_is_named(root):
    ours = key_text(bytes(installation().public_key))
    for changes, problem in [
        ({"address": "http://169.254.169.254"}, "not allowed"),
        ({"address": "http://127.0.0.1:8000"}, "not allowed"),
        ({"address": "http://93.184.216.34"}, "must start with https://"),
        ({"address": "https://93.184.216.34/?a=1"}, "question mark"),
        ({"address": "https://u:p@93.184.216.34"}, "user name or password"),
        ({"public_key": "ed25519:AAAA"}, "no public key"),
        ({"public_key": ours}, "key of this installation"),
        ({"own_name": "\u202e"}, "direction"),
        ({"own_name": " "}, "required"),
    ]:
        page = root.post(reverse(EDIT), values(**changes))
        assert page.status_code == 422, changes
        assert problem in text_of(page), changes
    assert not Pairing.objects.exists()
    assert root.post(reverse(EDIT), values()).status_code == 302
    assert Installation.objects.get().name == "Home"


def test_nothing_is_trusted_before_the_fingerprint_is_confirmed_and_another_key_needs_it_anew(root):
    root.post(reverse(EDIT), values())
    pairing = Pairing.objects.get()
    assert pairing.fingerprint in text_of(root.get(reverse("pairing:confirm")))
    assert root.post(reverse("pairing:confirm"), {"version": 1}).status_code == 422
    assert root.post(reverse("pairing:confirm"), {"version": 7, "same": "on"}).status_code == 409
    assert root.post(reverse("pairing:confirm"), {"version": 1, "same": "on"}).status_code == 302
    pairing.refresh_from_db()
    assert pairing.confirmed_at is not None
    moved = values(address="https://93.184.216.35", public_key=pairing.key_text, version=pairing.version)
    root.post(reverse(EDIT), moved)
    pairing.refresh_from_db()
    assert pairing.confirmed_at is not None
    root.post(reverse(EDIT), values(version=pairing.version))
    pairing.refresh_from_db()
    assert pairing.confirmed_at is None


def test_the_second_of_two_admins_gets_a_conflict(root):
    assert root.post(reverse(EDIT), values()).status_code == 302
    page = root.post(reverse(EDIT), values())
    assert page.status_code == 409
    assert "Somebody else changed the pairing" in text_of(page)


def test_the_connection_is_tested_in_steps(root):
    other = Other()
    server = TheirServer(other, other.parties, bytes(installation().public_key))
    try:
        other.pair(address=f"http://127.0.0.1:{server.port}", confirmed_at=None)
        page = text_of(root.post(reverse("pairing:test"), follow=True))
        assert "The address is not allowed or cannot be reached." in page
        AllowedAddress.objects.create(cidr="127.0.0.1", prefix_length=32, port=server.port)
        server.script = ["unsigned", "refuse unknown_sender"]
        assert "not signed by the key" in text_of(root.post(reverse("pairing:test"), follow=True))
        assert "paired with another key than ours" in text_of(root.post(reverse("pairing:test"), follow=True))
        page = text_of(root.post(reverse("pairing:test"), follow=True))
        assert "its signature is right" in page
        assert "Beta" in page
    finally:
        server.stop()
    assert AuditEntry.objects.filter(action="pairing.tested").count() == 4


def test_unpairing_forgets_the_other_side_and_leaves_what_was_received(root):
    other = Other()
    other.pair()
    other.send(snapshot())
    assert "1 queue that was received stays" in text_of(root.get(reverse("pairing:unpair")))
    assert root.post(reverse("pairing:unpair")).status_code == 302
    assert not Pairing.objects.exists()
    assert other.post("/pairing/v1/ping", b"{}", other.headers("/pairing/v1/ping", b"{}")).status_code == 401
    assert ProcessingQueue.objects.get().name == "Theirs"
    assert root.post(reverse("pairing:unpair")).status_code == 404


def test_a_received_queue_is_marked_and_its_form_opens_the_status_only(root, other):
    other.send(snapshot())
    queue = ProcessingQueue.objects.get()
    for url in (reverse("queues:queues"), reverse("queues:queue", args=[queue.pk])):
        assert "from “Alpha”" in text_of(root.get(url))
    url = reverse("queues:edit", args=[queue.pk])
    page = text_of(root.get(url))
    assert "Replicated from “Alpha”: only the status can be changed here." in page
    assert page.count("disabled") >= 6
    assert root.post(url, {"name": "Mine", "version": queue.version, "events": ["call.deleted"]}).status_code == 302
    queue.refresh_from_db()
    assert (queue.name, queue.events, queue.enabled) == ("Theirs", ["call.recording_finished"], False)


def test_queues_are_found_by_replication(root, other):
    other.send(snapshot())
    ProcessingQueue.objects.create(name="Sent away", events=["call.created"], replicate=True)
    url = reverse("queues:queues")
    received, sent = (text_of(root.get(url, {"replicated": kind})) for kind in ("received", "sent"))
    assert "Theirs" in received
    assert "Sent away" not in received
    assert "Sent away" in sent

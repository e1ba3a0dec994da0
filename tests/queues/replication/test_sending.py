"""What is replicated reaches the other side: in order, again after a crash, with backoff, and visibly."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from queues.emptying import delete_queue
from queues.models import ProcessingQueue
from queues.replication import sending
from queues.replication.identity import installation
from queues.replication.models import Outgoing, Pairing
from queues.replication.outbox import record_saved
from queues.replication.pairing import confirm
from queues.services import save_queue
from tenants.models import AllowedAddress
from tests.queues.replication.other import Other
from tests.queues.replication.theirs import TheirServer

pytestmark = pytest.mark.django_db
VALUES = {"name": "Ours", "enabled": True, "scope": "global", "tenant": None, "record_type": "call"}
VALUES |= {"events": ["call.created"], "replicate": True}


@pytest.fixture
def theirs(db):
    other = Other()
    server = TheirServer(other, other.parties, bytes(installation().public_key))
    AllowedAddress.objects.create(cidr="127.0.0.1", prefix_length=32, port=server.port)
    other.pair(address=f"http://127.0.0.1:{server.port}")
    yield server
    server.stop()


@pytest.fixture
def save(by):
    def store(queue=None, **changes):
        return save_queue(queue=queue, values={**VALUES, **changes}, tenant_groups=[], **by)

    return store


def due_again() -> None:
    """The pause is over."""
    Pairing.objects.update(next_at=None)
    Outgoing.objects.update(next_at=None)


def test_saving_changing_and_deleting_is_sent_with_growing_versions(theirs, save, by):
    queue = save()
    assert sending.send_due() == 1
    queue = save(queue, name="Renamed")
    assert sending.send_due() == 1
    delete_queue(queue=queue, **by)
    assert sending.send_due() == 1
    assert sending.send_due() == 0
    seen = [(said["kind"], said["version"], said["settings"]["name"]) for said in theirs.taken]
    assert seen == [("saved", 1, "Ours"), ("saved", 2, "Renamed"), ("deleted", 3, "Renamed")]
    assert {said["origin_name"] for said in theirs.taken} == {installation().name}
    assert Pairing.objects.get().name == "Beta"


def test_what_is_not_replicated_is_not_sent_and_what_no_longer_is_is_released(theirs, save):
    queue = save(replicate=False)
    assert not Outgoing.objects.exists()
    queue = save(queue, replicate=True)
    save(queue, replicate=False)
    sending.send_due()
    assert [said["kind"] for said in theirs.taken] == ["released"]


def test_a_change_that_is_rolled_back_is_not_sent(theirs, save):
    with transaction.atomic():
        save()
        transaction.set_rollback(True)
    assert not Outgoing.objects.exists()
    assert sending.send_due() == 0


def test_a_worker_killed_before_it_noted_the_answer_sends_again(theirs, save, monkeypatch):
    class Killed(BaseException):
        """As SIGKILL: no handler writes anything."""

    def die(*arguments):
        raise Killed

    save()
    real = Pairing.objects.get()
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_note", die)
        with pytest.raises(Killed):
            sending.send_due()
    assert len(theirs.taken) == 1
    assert Outgoing.objects.get().pending_since is not None
    # The lease of the dead one still stands.
    Pairing.objects.filter(pk=real.pk).update(lease_until=timezone.now() + timedelta(seconds=30))
    assert sending.send_due() == 0
    Pairing.objects.filter(pk=real.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sending.send_due() == 1
    assert [said["version"] for said in theirs.taken] == [1, 1]


def test_an_answer_that_is_lost_is_no_answer_and_the_same_version_goes_again(theirs, save):
    save()
    theirs.script = ["drop"]
    assert sending.send_due() == 0
    pairing = Pairing.objects.get()
    assert (pairing.last_error, pairing.failures) == ("unreachable", 1)
    assert pairing.next_at > timezone.now()
    assert sending.send_due() == 0
    assert theirs.asked == 1, "not before the pause is over"
    due_again()
    assert sending.send_due() == 1
    assert Pairing.objects.get().failures == 0


@pytest.mark.parametrize(
    ("todo", "code"),
    [
        ("unsigned", "answer"),
        ("refuse clock", "clock"),
        ("refuse not_paired", "not_paired"),
        ("refuse <b>nonsense</b>", "http"),
        ("redirect", "redirected"),
    ],
)
def test_an_answer_that_proves_nothing_changes_nothing_but_the_error(theirs, save, todo, code):
    save()
    theirs.script = [todo]
    assert sending.send_due() == 0
    assert Pairing.objects.get().last_error == code
    assert Outgoing.objects.get().pending_since is not None


def test_a_snapshot_that_is_rejected_waits_alone(theirs, save):
    first = save()
    save(name="Second")
    theirs.script = ["reject"]
    assert sending.send_due() == 1
    row = Outgoing.objects.get(pk=first.pk)
    assert (row.attempts, row.last_error) == (1, "settings.scope: Not known.")
    assert row.next_at > timezone.now()
    assert theirs.taken[-1]["settings"]["name"] == "Second"


def test_a_change_during_the_sending_stays_pending(theirs, save, monkeypatch):
    queue = save()
    real = sending.peer.ask

    def slow(*arguments):
        answer = real(*arguments)
        ProcessingQueue.objects.filter(pk=queue.pk).update(version=2, name="Newer")
        record_saved(ProcessingQueue.objects.get(pk=queue.pk), replicated_before=True)
        return answer

    monkeypatch.setattr(sending.peer, "ask", slow)
    sending.send_due()
    assert Outgoing.objects.get().pending_since is not None
    monkeypatch.undo()
    sending.send_due()
    assert [said["version"] for said in theirs.taken] == [1, 2]


def test_confirming_the_fingerprint_sends_all_that_is_replicated(theirs, save, by):
    Pairing.objects.update(confirmed_at=None)
    save()
    save(name="Second")
    Outgoing.objects.all().delete()
    assert sending.send_due() == 0
    assert confirm(pairing=Pairing.objects.get(), **by) == 2
    assert sending.send_due() == 2


def test_an_address_that_is_no_longer_listed_is_not_connected_to(theirs, save):
    AllowedAddress.objects.all().delete()
    save()
    assert sending.send_due() == 0
    assert (theirs.asked, Pairing.objects.get().last_error) == (0, "address")


def test_the_page_of_the_queue_says_how_far_it_is(theirs, save, root):
    queue = save()
    url = reverse("queues:queue", args=[queue.pk])
    assert "To be sent" in root.get(url).content.decode()
    theirs.script = ["drop"]
    sending.send_due()
    page = root.get(url).content.decode()
    assert "The other installation does not answer." in page
    assert "Tried again" in page
    due_again()
    theirs.script = ["conflict"]
    sending.send_due()
    page = root.get(url).content.decode()
    assert "Sent" in page
    assert "keeps it as a conflict: A queue of this name is here already" in page


def test_pauses_grow_up_to_ten_minutes():
    assert 4 < sending.pause_s(1) < 6
    assert 8 < sending.pause_s(2) < 12
    assert 500 < sending.pause_s(50) <= 660

"""The audit chain: grows with its change or not at all, cannot be changed, and shows every tampering."""

import threading
import uuid
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import AuditEntry
from audit.services import SECRET, append, changes, grouped
from core.logs import acting_tenant, client_ip, request_id
from tests.audit.conftest import first_break, grow, say

pytestmark = pytest.mark.django_db


def entries_of(tenant):
    return AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("position")


def test_an_untouched_chain_holds_and_each_kind_of_tampering_is_found(acme, tampering):
    grow(acme, 5)
    assert first_break(acme.pk) is None
    middle = entries_of(acme).get(position=entries_of(acme).last().position - 2)
    row = AuditEntry.objects.filter(pk=middle.pk)
    for tamper in (
        lambda: row.update(actor="somebody else"),
        lambda: row.update(details={"n": 99}),
        lambda: row.update(before={"limit": 0}),
        lambda: row.update(reason="another"),
        lambda: row.update(ip="203.0.113.7"),
        lambda: row.update(form=1),
        row.delete,
        lambda: row.update(digest="0" * 64),
    ):
        with tampering():
            tamper()
            assert first_break(acme.pk) == middle.position
    assert first_break(acme.pk) is None


def test_the_database_refuses_to_change_delete_or_empty_the_trail(acme):
    grow(acme, 1)
    with connection.cursor() as cursor:
        for statement in (
            "UPDATE audit_auditentry SET actor = 'x'",
            "DELETE FROM audit_auditentry",
            "TRUNCATE audit_auditentry",
        ):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                cursor.execute(statement)
    assert first_break(acme.pk) is None


def test_an_entry_disappears_with_the_change_that_was_rolled_back(acme):
    before = AuditEntry.objects.count()
    with transaction.atomic():
        grow(acme, 1)
        transaction.set_rollback(True)
    assert AuditEntry.objects.count() == before
    assert connection.in_atomic_block


def test_chains_of_two_tenants_do_not_touch_each_other(acme, globex, tampering):
    grow(acme, 2)
    grow(globex, 2)
    with tampering():
        AuditEntry.objects.filter(tenant_id=globex.pk).update(actor="x")
        assert first_break(acme.pk) is None
        assert first_break(globex.pk) == 1


def test_rows_of_the_first_version_still_verify(acme):
    entry = entries_of(acme).last()
    old = AuditEntry(
        tenant_id=acme.pk,
        position=entry.position + 1,
        at=entry.at,
        actor="a",
        action="old",
        target_type="t",
        target_id="1",
        details={"b": 1, "a": 2},
        form=1,
        previous_digest=entry.digest,
    )
    # What the first version wrote, byte for byte.
    import hashlib

    import orjson

    body = [entry.digest, str(acme.pk), old.position, old.at.isoformat(), "a", "old", "t", "1", old.details, "-"]
    old.digest = hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()
    old.save(force_insert=True)
    grow(acme, 1)
    assert first_break(acme.pk) is None


def test_whatever_the_details_hold_the_entry_reads_back_as_it_was_signed(acme):
    odd = {
        "big": 2**70,
        "huge": 1e300,
        "tiny": 1e-9,
        "minus zero": -0.0,
        "nan": float("nan"),
        "decimal": Decimal("1.50"),
        "uuid": uuid.UUID(int=7),
        "nul": "a\x00b",
        "surrogate": "\ud800",
        "set": {"b", "a"},
        3: "number as key",
    }
    say(acme, details=odd, reason="x" * 900, target_id="y" * 90, before={"a": 1.5}, after={"a": 10.0})
    entry = entries_of(acme).last()
    assert entry.details["big"] == str(2**70)
    assert len(entry.reason) == 500
    for address in ("::1.2.3.4", "2001:db8:0:0:1:0:0:1", "10.0.0.1"):
        token = client_ip.set(address)
        say(acme)
        client_ip.reset(token)
    assert first_break(acme.pk) is None


def test_an_entry_names_request_address_and_the_tenant_of_the_actor(acme, system):
    tokens = [request_id.set("req_12345678"), client_ip.set("198.51.100.4"), acting_tenant.set(system.pk)]
    say(acme, reason=" asked by phone ")
    request_id.reset(tokens[0]), client_ip.reset(tokens[1]), acting_tenant.reset(tokens[2])
    entry = entries_of(acme).last()
    assert (entry.request_id, entry.ip, entry.actor_tenant_id, entry.reason) == (
        "req_12345678",
        "198.51.100.4",
        system.pk,
        "asked by phone",
    )


def test_before_and_after_hold_only_what_changed_and_never_a_secret():
    before, after = changes(
        {"name": "a", "limit": 1, "token": "never look", "same": [1]},
        {"name": "b", "limit": 1, "token": SECRET, "same": [1], "new": None},
    )
    assert before == {"name": "a", "token": "••••", "new": None}
    assert after["name"] == "b"
    assert str(after["token"]) == "•••• changed"
    assert "look" not in str((before, after))


@transaction.atomic
def undone(tenant):
    """A service that fails after it has written its entry."""
    say(tenant, "undone")
    raise ValueError("undone")


def test_a_group_of_services_is_one_row_and_other_tenants_keep_their_own(acme, globex):
    number, other = entries_of(acme).count(), entries_of(globex).count()
    group = {"actor": "ada@acme", "target_type": "tenant", "target_id": "1"}
    with grouped(tenant_id=acme.pk, action="tenant.set_up", reason="new customer", **group):
        say(acme, "limit.set", before={"limit": 1}, after={"limit": 2})
        say(globex, "group.joined")
        with pytest.raises(ValueError, match="undone"):
            undone(acme)
        with grouped(tenant_id=acme.pk, action="inner", **group):
            say(acme, "licence.set")
    assert entries_of(acme).count() == number + 1
    assert entries_of(globex).count() == other + 1
    entry = entries_of(acme).last()
    assert (entry.action, entry.reason) == ("tenant.set_up", "new customer")
    assert [part["action"] for part in entry.details["parts"]] == ["limit.set", "inner"]
    assert entry.details["parts"][0]["after"] == {"limit": 2}
    assert [part["action"] for part in entry.details["parts"][1]["details"]["parts"]] == ["licence.set"]
    assert first_break(acme.pk) is None


def test_a_group_that_fails_leaves_nothing(acme):
    number = entries_of(acme).count()
    with (
        pytest.raises(ValueError, match="undone"),
        grouped(tenant_id=acme.pk, actor="a", action="x", target_type="t", target_id="1"),
    ):
        undone(acme)
    say(acme, "afterwards")
    assert list(entries_of(acme).values_list("action", flat=True))[number:] == ["afterwards"]


def test_a_change_whose_entry_cannot_be_written_is_not_made(acme, client_for, people):
    from queues.models import ProcessingQueue

    ProcessingQueue.objects.create(name="Kept", events=["call.created"])
    client = client_for(people.platform_admin)
    client.raise_request_exception = False
    queue = ProcessingQueue.objects.get(name="Kept")
    address = f"/administration/jobs/processing-queues/{queue.pk}/purge/"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE audit_auditentry ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
        refused = client.post(f"/administration/jobs/processing-queues/{queue.pk}/delete/", {"confirm_name": "Kept"})
        assert refused.status_code == 500
        assert ProcessingQueue.objects.filter(name="Kept").exists()
        transaction.set_rollback(True)
    assert client.post(address, {"confirm_name": "Kept"}).status_code == 302


def test_many_appends_at_once_do_not_fork_the_chain(transactional_chain):
    chain, workers, each = transactional_chain, 32, 4
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _step in range(each):
                with transaction.atomic():
                    append(tenant_id=chain, actor="a", action="race", target_type="t", target_id="1")
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    positions = list(AuditEntry.objects.filter(tenant_id=chain).order_by("position").values_list("position", flat=True))
    assert positions == list(range(1, workers * each + 1))
    assert first_break(chain) is None


@pytest.fixture
def transactional_chain(django_db_setup):
    """A chain that threads can commit to; a superuser takes it away at the end."""
    import psycopg
    from django.conf import settings

    from tests.conftest import _psycopg_arguments

    chain = uuid.uuid4()
    yield chain
    with psycopg.connect(**_psycopg_arguments(settings.DATABASES["default"]), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("DELETE FROM audit_auditentry WHERE tenant_id = %s", [chain])

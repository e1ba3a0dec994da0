"""Reconciliation finds whatever was changed behind the ledger's back, names it, and makes it anew from the entries."""

import logging

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.models import AuditEntry
from core.outcomes import Reason
from licensing.ledger import Denied, release, reserve, settle
from licensing.models import Account, DailyUsage, Denial, Entry, Reconciliation, Reservation
from licensing.reconciling import differences, rebuild
from licensing.tasks import reconcile_ledger
from tests.licensing.conftest import METER, request, set_limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(acme, licensed):
    """One request charged, one open, one released, one denied."""
    wishes = [request(licensed.agent, 60) for _number in range(3)]
    reserve(tenant_id=acme.pk, meter=METER, requests=wishes)
    settle(tenant_id=acme.pk, meter=METER, keys=[wishes[0].key])
    release(keys=[wishes[2].key])
    set_limits(acme, org_month=2)
    refused = request(licensed.other_agent, 1)
    outcome = reserve(tenant_id=acme.pk, meter=METER, requests=[refused])
    assert outcome == {refused.key: Denied(Reason.LIMIT_ORG_MONTH)}
    return wishes


def run(*arguments: str, capsys) -> tuple[int, str]:
    """The command's exit code and what it wrote."""
    try:
        call_command("ledger", *arguments)
        code = 0
    except SystemExit as error:
        code = int(error.code or 0)
    written = capsys.readouterr()
    return code, written.out + written.err


def test_books_that_were_only_written_by_the_ledger_agree(books, acme, globex, capsys):
    assert differences() == differences(acme.pk) == differences(globex.pk) == []
    assert run("verify", capsys=capsys) == (0, "5 entries: the books agree.\n")
    assert run("verify", "--tenant", "GLOBEX", capsys=capsys) == (0, "0 entries: the books agree.\n")


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("UPDATE licensing_account SET month_used = month_used + 1", {"counter"}),
        ("UPDATE licensing_account SET life_used = 0", {"counter"}),
        ("UPDATE licensing_account SET month_reserved = 0", {"counter"}),
        ("UPDATE licensing_account SET life_reserved = 61", {"counter"}),
        ("UPDATE licensing_account SET period = '2020-01'", {"counter"}),
        ("DELETE FROM licensing_account", {"counter"}),
        ("UPDATE licensing_reservation SET state = 'settled' WHERE state = 'open'", {"reservation"}),
        ("UPDATE licensing_reservation SET state = 'open' WHERE state = 'released'", {"reservation"}),
        ("UPDATE licensing_reservation SET amount = 61 WHERE state = 'open'", {"reservation"}),
        ("UPDATE licensing_reservation SET day = day - 1 WHERE state = 'open'", {"reservation"}),
        ("DELETE FROM licensing_reservation WHERE state = 'settled'", {"reservation"}),
        ("UPDATE licensing_dailyusage SET used = used + 1 WHERE used > 0", {"daily used"}),
        ("UPDATE licensing_dailyusage SET requests = 7 WHERE used > 0", {"daily requests"}),
        ("UPDATE licensing_dailyusage SET denied = 0 WHERE denied > 0", {"daily denied"}),
        ("UPDATE licensing_dailyusage SET engine = 'Other' WHERE used > 0", {"daily used", "daily requests"}),
        ("DELETE FROM licensing_dailyusage", {"daily used", "daily requests", "daily denied"}),
        ("UPDATE licensing_denial SET period = '2020-01'", {"daily denied", "month"}),
    ],
)
def test_each_change_behind_the_ledgers_back_is_found_and_named(books, acme, globex, change, kinds, capsys):
    with connection.cursor() as cursor:
        cursor.execute(change)
    found = differences()
    assert {difference.kind for difference in found} == kinds
    assert {difference.tenant_id for difference in found} == {acme.pk}
    assert differences(globex.pk) == []
    code, text = run("verify", "--tenant", "acme", capsys=capsys)
    assert code == 1
    assert all(str(difference) in text for difference in found)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("UPDATE licensing_entry SET amount = 59 WHERE step = 'settle'", {"counter", "reservation", "daily used"}),
        ("DELETE FROM licensing_entry WHERE step = 'release'", {"counter", "reservation"}),
        ("UPDATE licensing_entry SET source = 'free' WHERE step = 'settle'", {"counter", "step"}),
        ("UPDATE licensing_entry SET reserved_at = reserved_at - interval '40 days'", {"reservation", "month"}),
    ],
)
def test_entries_that_a_superuser_changed_do_not_fit_the_rest(books, change, kinds):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE licensing_entry DISABLE TRIGGER USER")
        cursor.execute(change)
        cursor.execute("ALTER TABLE licensing_entry ENABLE TRIGGER USER")
    assert {difference.kind for difference in differences()} == kinds


def test_counters_and_daily_usage_are_made_anew_from_the_entries_and_that_is_audited(books, acme, capsys):
    Account.objects.update(month_used=7, life_reserved=9)
    DailyUsage.objects.filter(used__gt=0).delete()
    DailyUsage.objects.update(denied=5)
    assert differences()
    code, _text = run("rebuild", "--tenant", "acme", capsys=capsys)
    assert code == 0
    assert differences() == []
    account = Account.objects.get(tenant=acme)
    assert (account.month_reserved, account.month_used, account.life_reserved, account.life_used) == (60, 60, 60, 60)
    row = AuditEntry.objects.get(tenant_id=acme.pk, action="ledger.rebuilt")
    assert row.before[METER]["month_used"] == 7
    assert row.after[METER]["month_used"] == 60


def test_a_tenant_that_never_used_anything_can_be_rebuilt_too(globex):
    rebuild(tenant_id=globex.pk, actor="test")
    assert differences() == []
    assert Account.objects.get(tenant=globex).life_used == 0


def test_an_unknown_tenant_is_refused(db):
    with pytest.raises(CommandError, match="nosuch"):
        call_command("ledger", "verify", "--tenant", "nosuch")


def test_the_nightly_task_keeps_its_result_and_alarms_on_a_difference(books, system, caplog):
    reconcile_ledger()
    assert Reconciliation.objects.latest().found == 0
    assert Reconciliation.objects.latest().entries == Entry.objects.count()
    assert not AuditEntry.objects.filter(action="ledger.differs").exists()

    Account.objects.update(life_used=61)
    with caplog.at_level(logging.ERROR):
        reconcile_ledger()
    assert "disagree in 1 places" in caplog.text
    result = Reconciliation.objects.latest()
    assert result.found == 1
    assert result.differences[0]["subject"] == "life_used"
    assert AuditEntry.objects.get(tenant_id=system.pk, action="ledger.differs").details["found"] == 1


def test_the_state_of_a_reservation_and_its_denials_are_not_touched_by_a_rebuild(books, acme):
    states = sorted(Reservation.objects.values_list("state", flat=True))
    rebuild(tenant_id=acme.pk, actor="test")
    assert sorted(Reservation.objects.values_list("state", flat=True)) == states == ["open", "released", "settled"]
    assert Denial.objects.count() == 1

"""Statements: drawn from the ledger, final when a month is over, and proved or refused byte by byte."""

import csv
import hashlib
import io
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import AuditEntry
from licensing.ledger import settle
from licensing.limits_pages.services import FIELDS, save_limits, stored_limits
from licensing.models import Bundle, DailyUsage, Entry
from licensing.seats.services import save_seats
from tenants.models import Tenant
from tests.usage.conftest import AT, METER, MINUTES, ask, set_limits, use
from usage.statements import line_of, overview, signed_file, statement
from usage.verifying import check_file

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.usage.frozen_urls")]
LAST_MONTH = AT - timedelta(days=30)
OCTOBER = "2026-10"


def url_of(tenant, period) -> str:
    return reverse("usage:statement", args=[tenant.pk, period])


def body_of(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


@pytest.fixture
def october(acme, licensed):
    """Two charged calls, one denied, in October; one charged in November."""
    set_limits(acme, org_month=3)
    use(acme, licensed.agent, 90, at=LAST_MONTH)
    use(acme, licensed.other_agent, 60, at=LAST_MONTH + timedelta(hours=1), language="he-IL")
    ask(acme, licensed.agent, 60, at=LAST_MONTH + timedelta(hours=2))
    use(acme, licensed.agent, 45)
    return acme


def proved(raw: bytes) -> bool:
    return all(finding.passed is not False for finding in check_file(raw))


def test_a_statement_says_what_the_ledger_says(october, client_for, licensed):
    client = client_for(licensed.tenant_admin)
    said = orjson.loads(client.get(url_of(october, OCTOBER), {"format": "json"}).content)["payload"]
    assert (said["charged_seconds"], said["entries"], said["status"]) == (150, 2, "final")
    assert said["denied_by_reason"] == {"limit_org_month": 1}
    assert {line["user_name"]: line["seconds"] for line in said["by_user"]} == {"alan": 90, "olga": 60}
    assert {line["language"]: line["seconds"] for line in said["by_language"]} == {"en-US": 90, "he-IL": 60}
    rollup = sum(DailyUsage.objects.filter(tenant=october, period=OCTOBER).values_list("used", flat=True))
    lines = list(
        csv.reader(io.StringIO(body_of(client.get(url_of(october, OCTOBER), {"format": "csv"})).decode("utf-8-sig")))
    )
    assert rollup == sum(int(line[-1]) for line in lines[1:]) == 150
    page = client.get(url_of(october, OCTOBER)).content.decode()
    assert said["entries_sha256"] in page
    assert "2.5" in page
    assert "Final" in page


def test_the_digest_covers_the_charged_entries_in_their_order(october):
    rows = Entry.objects.filter(tenant=october, period=OCTOBER, step="settle").order_by("id")
    names = [field.attname for field in Entry._meta.fields if field.name not in {"meter", "step", "source", "target"}]
    order = "id tenant_id record generation subject_id user_id engine language amount period day zone reserved_at at"
    assert set(names) == set(order.split())
    wanted = hashlib.sha256(b"".join(line_of(row) for row in rows.values_list(*order.split()))).hexdigest()
    assert statement(october, OCTOBER).books.digest == wanted


def test_the_current_month_and_one_with_open_reservations_are_preliminary(october, licensed, client_for):
    assert not statement(october, "2026-11", at=AT).final
    assert statement(october, OCTOBER, at=AT).final
    client = client_for(licensed.tenant_admin)
    assert "Preliminary" in client.get(url_of(october, "2026-11")).content.decode()


def test_what_was_reserved_last_month_makes_it_final_when_it_is_settled(acme, licensed):
    _outcome, key = ask(acme, licensed.agent, 60, at=LAST_MONTH)
    use(acme, licensed.agent, 30)
    assert not statement(acme, OCTOBER, at=AT).final
    settle(tenant_id=acme.pk, meter=METER, keys=[key])
    made = statement(acme, OCTOBER, at=AT)
    assert (made.final, made.books.seconds) == (True, 60)


def test_a_past_statement_names_the_limits_then_in_force(october, licensed):
    seats = dict.fromkeys(Bundle.values)
    save_seats(tenant=october, seen=seats, seats=seats | {"speech_analytics": 40}, editor=licensed.platform_admin)
    stored = stored_limits(october)
    for minutes in (400, 500):
        values = {name: getattr(stored, name) for name in FIELDS} | {"org_month": minutes}
        save_limits(tenant=october, version=stored.version, values=values, actor="test")
        stored = stored_limits(october)
    assert statement(october, OCTOBER, at=AT).limits["org_month"] == 3
    assert statement(october, OCTOBER, at=AT).limits["speech_analytics"] is None
    current = statement(october, "2026-11", at=AT).limits
    assert (current["org_month"], current["speech_analytics"]) == (500, 40)


def test_a_past_statement_ends_where_its_month_was_counted_though_the_tenant_moved_since(acme, licensed):
    Tenant.objects.filter(pk=acme.pk).update(time_zone="Pacific/Auckland")
    set_limits(acme, org_month=3)
    use(acme, licensed.agent, 60, at=LAST_MONTH)
    assert Entry.objects.filter(tenant=acme, step="settle").get().zone == "Pacific/Auckland"
    # October ends in Auckland 13 hours before it ends in UTC: 2026-10-31 11:00 UTC.
    values = {name: getattr(stored_limits(acme), name) for name in FIELDS} | {"org_month": 9}
    save_limits(tenant=acme, version=stored_limits(acme).version, values=values, actor="test")
    Tenant.objects.filter(pk=acme.pk).update(time_zone="UTC")
    use(acme, licensed.agent, 60)
    with tampering_with_time(acme, datetime(2026, 10, 31, 12, tzinfo=UTC)):
        assert statement(acme, OCTOBER, at=AT).limits["org_month"] == 3
    with tampering_with_time(acme, datetime(2026, 10, 31, 10, tzinfo=UTC)):
        assert statement(acme, OCTOBER, at=AT).limits["org_month"] == 9


@contextmanager
def tampering_with_time(tenant, at):
    """The latest change of limits as if it had happened at ``at``."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
        assert AuditEntry.objects.filter(tenant_id=tenant.pk, action="service_limits.changed").update(at=at) == 1
        yield
        transaction.set_rollback(True)


def test_page_and_list_of_entries_read_the_ledger_no_more_often_than_they_must(october, client_for, licensed):
    client = client_for(licensed.tenant_admin)

    def whole_reads(period: str, **query: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            body_of(client.get(url_of(october, period), query))
        statements = [one["sql"] for one in seen.captured_queries]
        return sum("licensing_entry" in sql and "LIMIT" not in sql for sql in statements)

    assert whole_reads("2026-11") == 0
    assert [whole_reads(OCTOBER), whole_reads(OCTOBER)] == [1, 0]
    assert whole_reads(OCTOBER, format="csv") == 1
    assert whole_reads(OCTOBER, format="json") == 1


def test_the_daily_sums_of_the_page_are_those_of_the_ledger(guide):
    exact, shown = statement(guide, "2026-11", at=AT).books, overview(guide, "2026-11", at=AT).books
    for name in ("entries", "seconds", "days", "users", "engines", "languages"):
        assert getattr(exact, name) == getattr(shown, name), name


def test_only_months_with_usage_and_the_current_one_have_a_statement(october, globex, client_for, licensed):
    client = client_for(licensed.tenant_admin)
    listed = client.get(reverse("usage:statements", args=[october.pk])).content.decode()
    assert url_of(october, OCTOBER) in listed
    for period in ("2026-09", "2026-12", "2026-1", "2026-10x", "9999-99"):
        assert client.get(url_of(october, period)).status_code == 404, period
    assert client.get(url_of(globex, "2026-11")).status_code == 404
    assert client_for(licensed.supervisor).get(url_of(october, OCTOBER)).status_code == 403


@pytest.mark.parametrize("form", ["csv", "json"])
def test_taking_a_statement_is_audited(october, client_for, licensed, form):
    body_of(client_for(licensed.tenant_admin).get(url_of(october, OCTOBER), {"format": form}))
    row = AuditEntry.objects.filter(tenant_id=october.pk).order_by("-position").first()
    assert (row.action, row.target_type, row.target_id) == ("export.made", "statement", f"acme {OCTOBER}")
    assert row.details["form"] == form


def test_a_signed_file_is_proved_by_the_command(october, tmp_path, capsys):
    file = tmp_path / "statement.json"
    file.write_bytes(signed_file(statement(october, OCTOBER, at=AT)))
    call_command("statement", "verify", str(file))
    assert "OK: the statement is as it was issued." in capsys.readouterr().out
    file.write_bytes(file.read_bytes().replace(b'"charged_seconds": 150', b'"charged_seconds": 151'))
    with pytest.raises(SystemExit) as ended:
        call_command("statement", "verify", str(file))
    assert ended.value.code == 1
    assert "FAILED" in capsys.readouterr().out
    with pytest.raises(CommandError) as unread:
        call_command("statement", "verify", str(tmp_path / "none.json"))
    assert unread.value.returncode == 2


def test_a_changed_lost_or_added_byte_anywhere_is_found(october):
    raw = signed_file(statement(october, OCTOBER, at=AT))
    assert proved(raw)
    chance = random.Random(7)
    for place in [0, len(raw) - 1, *(chance.randrange(len(raw)) for _n in range(300))]:
        changed = bytes([raw[place] ^ (1 << chance.randrange(8))])
        assert not proved(raw[:place] + changed + raw[place + 1 :]), place
        assert not proved(raw[:place] + raw[place + 1 :]), place
        assert not proved(raw[:place] + b" " + raw[place:]), place


def test_another_signature_of_the_same_bytes_is_refused(october):
    """The last letter of 64 bytes in base64 has four bits that decoding ignores."""
    raw = signed_file(statement(october, OCTOBER, at=AT))
    document = orjson.loads(raw)
    signature = document["signature"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = alphabet[alphabet.index(signature[-3]) ^ 1]
    assert not proved(raw.replace(signature.encode(), f"{signature[:-3]}{twin}==".encode()))


def test_a_key_of_ones_own_proves_nothing(october):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from usage.statements import to_file, to_sign

    document = orjson.loads(signed_file(statement(october, OCTOBER, at=AT)))
    mine = Ed25519PrivateKey.generate()
    pem = mine.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    import base64

    for key_id in (document["key_id"], "0" * 32):
        document |= {"public_key": pem, "key_id": key_id}
        document["signature"] = base64.b64encode(mine.sign(to_sign(document))).decode()
        assert not proved(to_file(document))


def test_a_ledger_that_differs_from_the_statement_is_found(october, licensed):
    final = signed_file(statement(october, OCTOBER, at=AT))
    preliminary = signed_file(statement(october, "2026-11", at=AT))
    use(october, licensed.agent, 15)
    assert proved(preliminary)
    assert proved(final)
    # A line in a month that was final: only somebody past the ledger can write one.
    first = Entry.objects.filter(tenant=october, period=OCTOBER, step="settle").first()
    first.pk, first.record, first.generation = None, first.record, 77
    first.save(force_insert=True)
    assert not proved(final)


def test_the_guides_month_is_stated_to_the_second(guide):
    made = statement(guide, "2026-11", at=AT)
    assert made.books.seconds == MINUTES * 60
    assert made.limits["user_month"] == 5000

"""Users from a CSV file: dry run, apply, and what a file may not be."""

import io
import time

import psycopg
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from accounts.models import Role, User
from accounts.services import create_user
from audit.models import AuditEntry
from core.errors import InvalidInput
from licensing.models import Bundle, UserLicence
from licensing.people.imports import services
from licensing.people.imports.planning import MAX_PASSWORDS, make_plan
from licensing.people.imports.reading import MAX_LINES, read_sheet
from licensing.services import grant
from tests.conftest import PASSWORD
from tests.licensing.conftest import set_seats

pytestmark = pytest.mark.django_db

PAGE = "/administration/user-management/users/import/"
HEADER = "username,full_name,email,role,group,licences,time_zone,enabled,password\n"
GOOD = (
    "username,full_name,role,licences,enabled\n"
    "nora,Nora Ö,agent,speech_analytics;call_recording,yes\n"
    "ALAN,Alan Again,,speech_analytics,\n"
    "olga,Olga,,,\n"
)


@pytest.fixture
def ada(client_for, people):
    return client_for(people.tenant_admin)


def send(client: Client, text: str | bytes, do: str = "check", expected: str = "", **more):
    data = text.encode() if isinstance(text, str) else text
    file = SimpleUploadedFile("users.csv", data, content_type="text/csv")
    return client.post(PAGE, {"file": file, "do": do, "expected": expected, **more})


def apply(client: Client, text: str, **more):
    """Check, then send the same file again."""
    checked = send(client, text, **more)
    return send(client, text, "apply", checked.context["form"].initial["expected"], **more)


def errors_of(answer) -> list[tuple[int, str]]:
    return [(step.line.number, step.error[0]) for step in answer.context["plan"].of("error")]


def sheet_of(text: str):
    data = text.encode()
    return read_sheet(io.BytesIO(data), len(data))


def test_the_dry_run_says_what_each_line_does_and_stores_nothing(ada):
    users, rows = User.objects.count(), AuditEntry.objects.count()
    answer = send(ada, GOOD)
    assert answer.status_code == 200
    assert answer.context["plan"].counts == {"create": 1, "change": 1, "unchanged": 1, "error": 0}
    assert "nothing is stored yet" in answer.content.decode()
    assert (User.objects.count(), AuditEntry.objects.count()) == (users, rows)


def test_applying_stores_all_of_it_in_one_audit_row_and_once(ada, people):
    before = AuditEntry.objects.count()
    assert apply(ada, GOOD).status_code == 302
    nora = User.objects.get(username="nora")
    assert (nora.full_name, nora.role.key, nora.has_usable_password()) == ("Nora Ö", "agent", False)
    assert set(nora.licences.values_list("bundle", flat=True)) == {"speech_analytics", "call_recording"}
    people.agent.refresh_from_db()
    assert (people.agent.username, people.agent.full_name, people.agent.version) == ("ALAN", "Alan Again", 2)
    assert people.agent.licences.get().bundle == Bundle.SPEECH_ANALYTICS
    (entry,) = AuditEntry.objects.order_by("pk")[before:]
    assert entry.details["ids"] == [str(nora.pk), str(people.agent.pk)]
    assert (entry.action, entry.details["create"], entry.details["change"]) == ("users.imported", 1, 1)
    again = send(ada, GOOD)
    assert again.context["plan"].counts == {"create": 0, "change": 0, "unchanged": 3, "error": 0}


def test_only_the_file_that_was_checked_is_applied(ada):
    checked = send(ada, GOOD)
    expected = checked.context["form"].initial["expected"]
    assert send(ada, GOOD.replace("nora", "mallory"), "apply", expected).status_code == 422
    assert send(ada, GOOD, "apply").status_code == 422
    assert not User.objects.filter(username__in=["nora", "mallory"]).exists()
    assert send(ada, GOOD, "apply", expected).status_code == 302


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("n e,,,agent,,,,,", "username"),
        (",Nobody,,agent,,,,,", "username"),
        ("=cmd,,,agent,,,,,", "username"),
        ("@sum,,,agent,,,,,", "username"),
        ('nora,"Nora\nTwo",,agent,,,,,', "full_name"),
        ('nora,,,agent,"Sales\r\nEast",,,,', "group"),
        ('nora,,,"age\nnt",,,,,', "role"),
        ("nora,\u202egpj,,agent,,,,,", "full_name"),
        ("nora,,,agent,\u200b\u2060,,,,", "group"),
        ("\ufdfa" * 20 + ",,,agent,,,,,", "username"),
        ("nora,,no address,agent,,,,,", "email"),
        ("nora,,,emperor,,,,,", "role"),
        ("nora,,,,,,,,", "role"),
        ("nora,,,platform_admin,,,,,", "role"),
        ("nora,,,agent,,gold,,,", "licences"),
        ("nora,,,agent,,,Mars/Base,,", "time_zone"),
        ("nora,,,agent,,,,perhaps,", "enabled"),
        ("nora,,,agent", "line"),
        ("nora,a\x00b,,agent,,,,,", "full_name"),
        (f"nora,{'x' * 151},,agent,,,,,", "full_name"),
        (f"alan,,,,,,,,{PASSWORD}", "password"),
        ("ada,,,agent,,,,,", "role"),
        ("ada,,,,,,,no,", "enabled"),
    ],
)
def test_a_line_that_breaks_a_rule_names_its_column_and_stops_the_whole_file(ada, line, column):
    text = f"{HEADER}fine,,,agent,,,,,\n{line}\n"
    assert errors_of(send(ada, text)) == [(3, column)]
    assert apply(ada, text).status_code == 422
    assert not User.objects.filter(username="fine").exists()
    assert apply(ada, text, good_only="on").status_code == 302
    assert User.objects.filter(username="fine").exists()


def test_a_file_is_no_way_around_the_rules_of_groups_and_of_mightier_people(client_for, people, acme):
    codes = [*Role.objects.get(key="supervisor").permissions, "users.view", "users.edit"]
    lead = Role.objects.create(tenant=acme, name="Lead", scope="managed_groups", granted=codes)
    me = create_user(tenant=acme, username="lara", password=PASSWORD, role=lead, group="Sales", actor="test")
    lines = "lara,,Support,\nolga,,East,\nnora,agent,East,\nada,,,no\nnick,agent,Sales,\nolga2,agent,,\n"
    text = f"username,role,group,enabled\n{lines}"
    lara = client_for(me)
    found = errors_of(send(lara, text))
    assert found == [(2, "group"), (3, "group"), (4, "group"), (5, "enabled")]
    assert apply(lara, text, good_only="on").status_code == 302
    assert set(User.objects.filter(username__in=["nora", "nick", "olga2"]).values_list("username", flat=True)) == {
        "nick",
        "olga2",
    }
    assert User.objects.get(username="ada").is_active
    # Who sees all groups gives any.
    assert errors_of(send(client_for(people.tenant_admin), text)) == [(5, "enabled")]


def test_the_same_name_twice_is_found_whatever_its_case(ada):
    answer = send(ada, "username,role\nStraße,agent\nnora,agent\nSTRASSE,agent\n")
    assert errors_of(answer) == [(4, "username")]
    assert "line 2" in answer.content.decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"username\n",
        b"full_name,role\nNora,agent\n",
        b"username,shoe_size\nnora,42\n",
        b"username,role,ROLE\nnora,agent,agent\n",
        b"username\n\xff\xfe\n",
        b'username\n"nora\n',
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"username\n" + b"x" * 140_000 + b"\n",
    ],
)
def test_a_file_that_is_no_such_list_is_refused_as_a_whole(ada, data):
    answer = send(ada, data)
    assert answer.status_code == 422
    assert answer.context["form"].errors


def test_a_byte_order_mark_and_windows_lines_are_fine(ada):
    answer = send(ada, b"\xef\xbb\xbfusername,role\r\nnora,agent\r\n\r\n")
    assert answer.context["plan"].counts["create"] == 1


def test_formulas_and_markup_are_shown_as_text_and_made_harmless_in_the_result(ada):
    text = "username,full_name,role\n<script>x,=cmd|calc,agent\n"
    page = send(ada, text).content.decode()
    assert "&lt;script&gt;x" in page
    assert "<script>x" not in page
    result = send(ada, "username,role\n=cmd,agent\n", "check_csv").getvalue().decode()
    assert "'=cmd" in result
    assert "error" in result


def test_a_line_is_numbered_by_where_it_begins_in_the_file(ada):
    text = 'username,full_name,role\n\nnora,"Nora\nÖ",agent\n,nobody,agent\nnick,Nick,agent,more\n'
    assert [number for number, _column in errors_of(send(ada, text))][-2:] == [5, 6]
    with pytest.raises(InvalidInput, match="Line 5 is no CSV"):
        sheet_of('username,full_name\nnora,"Nora\nÖ"\n\nnick,"Nick\nand so on\n')


def test_blank_lines_count_and_are_not_read_in_vain():
    fine = HEADER + "\n" * 900 + "nora,,,agent,,,,,\n"
    assert [line.username for line in sheet_of(fine).lines] == ["nora"]
    for newline in ("\n", "\r", "\r\n"):
        started = time.process_time()
        with pytest.raises(InvalidInput, match="101,000 lines"):
            sheet_of(HEADER + newline * (9_000_000 // len(newline)))
        assert time.process_time() - started < 1


def test_a_file_that_is_too_large_is_413(ada):
    assert send(ada, b"username\n" + b"a" * (20 * 1024 * 1024)).status_code == 413


def test_passwords_come_from_the_file_or_are_made_and_returned_once(ada):
    given = f"username,role,password\nnora,agent,{PASSWORD}\n"
    assert apply(ada, given).status_code == 302
    nora = User.objects.get(username="nora")
    assert (nora.check_password(PASSWORD), nora.must_change_password) == (True, True)
    answer = apply(ada, "username,role\nnick,agent\n", invite="on")
    line = answer.getvalue().decode().splitlines()[1]
    assert User.objects.get(username="nick").check_password(line.rpartition(",")[2])
    assert PASSWORD not in str(AuditEntry.objects.values_list("details", "before", "after"))
    weak = apply(ada, "username,role,password\nnils,agent,short\n")
    assert weak.status_code == 422
    assert not User.objects.filter(username="nils").exists()


def test_more_passwords_than_can_be_hashed_in_time_are_errors(people, acme):
    lines = "".join(f"u{n},agent\n" for n in range(MAX_PASSWORDS + 2))
    arguments = {"tenant": acme, "editor": people.tenant_admin}
    plan = make_plan(sheet_of("username,role\n" + lines), invite=True, **arguments)
    assert plan.counts["error"] == 2
    assert make_plan(sheet_of("username,role\n" + lines), invite=False, **arguments).counts["error"] == 0


def test_the_dry_run_says_who_would_be_without_a_seat(ada, people, acme):
    grant(user=people.other_agent, bundle=Bundle.SPEECH_ANALYTICS, actor="test")
    set_seats(acme, 1)
    page = send(ada, "username,role,licences\nadam,agent,speech_analytics\n").content.decode()
    assert "1 user over the seat cap loses service" in page
    assert "olga" in page


def test_an_own_role_is_found_by_its_name_and_a_foreign_one_is_not(ada, acme, globex):
    Role.objects.create(tenant=acme, name="Team lead", scope="user", granted=["home.view"])
    Role.objects.create(tenant=globex, name="Foreign lead", scope="user", granted=["home.view"])
    assert errors_of(send(ada, "username,role\nnora,team LEAD\nnick,Foreign lead\n")) == [(3, "role")]


def test_foreign_users_are_never_met(ada, people):
    apply(ada, "username,full_name,role\nstan,Mine,agent\n")
    people.stranger.refresh_from_db()
    assert people.stranger.full_name == "Stan"
    assert User.objects.filter(username="stan").count() == 2


def test_supervisors_may_not_import(client_for, people):
    assert client_for(people.supervisor).get(PAGE).status_code == 403


def test_a_hundred_thousand_lines_are_checked_within_a_minute_and_one_more_is_refused(people, acme):
    text = HEADER + "".join(
        f"user{n},User {n},u{n}@acme.example,agent,Group {n % 50},speech_analytics,Europe/Berlin,yes,\n"
        for n in range(MAX_LINES)
    )
    started = time.monotonic()
    sheet = sheet_of(text)
    plan = make_plan(sheet, tenant=acme, editor=people.tenant_admin, invite=False)
    assert time.monotonic() - started < 60
    assert plan.counts["create"] == MAX_LINES
    with pytest.raises(InvalidInput, match="100,000"):
        sheet_of(text + "onemore,,,agent,,,,,\n")


def test_five_thousand_users_are_stored_at_once(ada, acme):
    text = "username,role,licences\n" + "".join(f"user{n},agent,speech_analytics\n" for n in range(5000))
    started = time.monotonic()
    assert apply(ada, text).status_code == 302
    assert time.monotonic() - started < 60
    assert UserLicence.objects.filter(user__tenant=acme).count() == 5000


@pytest.fixture
def beside(db):
    """Another connection to the same database, which waits half a second and takes everything back."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    stored = connection.settings_dict
    with psycopg.connect(**{names[key]: stored[key] for key in names if stored.get(key)}) as other:
        other.execute("SET lock_timeout = '500ms'")
        yield other
        other.rollback()


def test_only_those_who_change_are_locked_and_everybody_may_sign_in_meanwhile(ada, people, beside):
    assert apply(ada, GOOD).status_code == 302
    # The transaction of this test is still open, so what the import has locked is locked.
    seen = "UPDATE accounts_user SET last_sign_in_at = now() WHERE username_key = %s"
    with beside.transaction():
        for name in ("olga", "sue", "stan"):
            assert beside.execute(seen, [name]).rowcount == 1
        beside.execute(
            "INSERT INTO accounts_usersession (user_id, session_key, user_agent, method, started_at, seen_at, ends_at)"
            " VALUES (%s, 'k', '', '', now(), now(), now())",
            [people.agent.pk],
        )
        raise psycopg.Rollback
    with pytest.raises(psycopg.errors.LockNotAvailable), beside.transaction():
        beside.execute(seen, ["alan"])


@pytest.mark.parametrize("who", ["new", "stored"])
def test_a_user_in_the_file_who_comes_or_changes_after_the_last_look_is_a_conflict(ada, acme, monkeypatch, who):
    looks = []

    def look_and_be_overtaken(sheet, **arguments):
        plan = make_plan(sheet, **arguments)
        looks.append(plan)
        if len(looks) == 2 and who == "new":
            agent = Role.objects.get(key="agent")
            User.objects.create(tenant=acme, username="Nora", username_key="nora", role=agent, password="!")
        elif len(looks) == 2:
            User.objects.filter(username="alan").update(full_name="Somebody else's", version=2)
        return plan

    checked = send(ada, GOOD)
    monkeypatch.setattr(services, "make_plan", look_and_be_overtaken)
    answer = send(ada, GOOD, "apply", checked.context["form"].initial["expected"])
    assert (answer.status_code, len(looks)) == (409, 2)
    assert "changed in the meantime" in answer.content.decode()
    assert not User.objects.filter(full_name="Alan Again").exists()


def test_many_are_changed_at_once_and_only_in_what_their_lines_say(ada, acme):
    agent = Role.objects.get(key="agent")
    User.objects.bulk_create(
        User(tenant=acme, username=f"u{n}", username_key=f"u{n}", full_name=f"U {n}", role=agent, password="!")
        for n in range(6000)
    )
    text = "username,full_name,group,enabled\n" + "".join(f"u{n},,Group {n % 7},no\n" for n in range(6000))
    text = text.replace("u5,,", "U5,New name,").replace("Group 6,no", "Group 6,yes")
    started = time.monotonic()
    assert apply(ada, text).status_code == 302
    assert time.monotonic() - started < 60
    changed = User.objects.get(username_key="u5")
    assert (changed.username, changed.full_name, changed.group) == ("U5", "New name", "Group 5")
    assert (changed.is_active, changed.role, changed.version) == (False, agent, 2)
    kept = User.objects.get(username_key="u13")
    assert (kept.username, kept.full_name, kept.is_active, kept.version) == ("u13", "", True, 2)

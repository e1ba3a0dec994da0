"""Sessions: listed, ended one by one or all, and dead at once; passwords changed by their owner or set for him."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client

from accounts import sessions
from accounts.models import User
from accounts.passwords import set_by_admin
from accounts.security_models import UserSession
from accounts.tasks import prune
from audit.models import AuditEntry
from core.errors import InvalidInput
from tests.accounts.signing_in import confirmed, sign_in, signed_in, with_authenticator
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NEW = "an entirely different sentence"


def actions(tenant) -> list[str]:
    return list(AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("position").values_list("action", flat=True))


def test_the_session_id_changes_at_sign_in_and_the_old_one_and_the_one_signed_out_are_dead(acme, people):
    client = Client()
    planted = client.session
    planted["x"] = 1
    planted.save()
    client.cookies["sessionid"] = planted.session_key
    assert sign_in(client).status_code == 302
    inside = client.cookies["sessionid"].value
    assert inside != planted.session_key
    old, copied = Client(), Client()
    old.cookies["sessionid"] = planted.session_key
    assert old.get("/").status_code == 302
    copied.cookies["sessionid"] = inside
    assert copied.get("/").status_code == 200
    client.post("/sign-out/")
    assert copied.get("/").status_code == 302


def test_the_profile_lists_ones_own_sessions_and_marks_the_one_in_use(people):
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    phone = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile Safari/537.36"
    here = signed_in(REMOTE_ADDR="203.0.113.1", headers={"user-agent": firefox})
    signed_in(REMOTE_ADDR="203.0.113.2", headers={"user-agent": phone})
    signed_in(username="sue", REMOTE_ADDR="203.0.113.3")
    page = here.get("/profile/").content.decode()
    assert "Firefox · Linux" in page
    assert "Chrome · Android" in page
    assert "203.0.113.2" in page
    assert "203.0.113.3" not in page
    assert page.count("This session") == 1
    assert here.session.session_key not in page


def test_last_seen_is_written_at_most_once_a_minute(people, django_assert_num_queries):
    client = signed_in()
    row = UserSession.objects.get(user=people.tenant_admin)
    client.get("/profile/")
    assert UserSession.objects.get(pk=row.pk).seen_at == row.seen_at
    UserSession.objects.update(seen_at=F("seen_at") - timedelta(seconds=61))
    client.get("/profile/")
    assert UserSession.objects.get(pk=row.pk).seen_at > row.seen_at


def test_a_session_ends_12_hours_after_the_sign_in_however_busy_it_is(people):
    client = signed_in()
    key = client.session.session_key
    row = Session.objects.get(session_key=key)
    client.get("/profile/")
    client.post("/profile/", {"version": people.tenant_admin.version, "full_name": "Ada"})
    assert Session.objects.get(session_key=key).expire_date == row.expire_date


def test_one_ends_ones_other_sessions_but_not_those_of_others(people, acme):
    here, there, third = signed_in(), signed_in(), signed_in()
    foreign = signed_in(username="sue")
    row = UserSession.objects.get(session_key=there.session.session_key)
    foreign_row = UserSession.objects.get(session_key=foreign.session.session_key)
    assert here.post(f"/profile/sessions/{foreign_row.pk}/end/").status_code == 404
    assert here.post(f"/profile/sessions/{row.pk}/end/").status_code == 302
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == foreign.get("/").status_code == third.get("/").status_code == 200
    assert here.post("/profile/sessions/end-others/").status_code == 302
    assert third.get("/").status_code == 302
    assert here.get("/").status_code == foreign.get("/").status_code == 200
    assert actions(acme)[-2:] == ["user.session_revoked", "user.sessions_revoked"]


def test_an_administrator_ends_the_sessions_of_his_people(people, client_for, acme):
    sue = signed_in(username="sue")
    path = f"/administration/user-management/users/{people.supervisor.pk}/end-sessions/"
    assert client_for(people.stranger).post(path).status_code == 404
    assert client_for(people.agent).post(path).status_code == 403
    assert sue.get("/calls/").status_code == 200
    assert confirmed(client_for(people.tenant_admin)).post(path).status_code == 302
    assert sue.get("/calls/").status_code == 302
    assert actions(acme)[-1] == "user.sessions_revoked"


def test_changing_the_password_keeps_this_session_under_a_new_id_and_ends_the_others(people, acme):
    here, there = signed_in(), signed_in()
    before = here.session.session_key
    answer = here.post("/profile/password/", {"current": PASSWORD, "new": NEW, "repeat": NEW})
    assert answer.status_code == 302
    assert here.get("/").status_code == 200
    assert here.session.session_key != before
    assert [row.session_key for row in sessions.of(people.tenant_admin)] == [here.session.session_key]
    assert there.get("/").status_code == 302
    assert sign_in(Client()).status_code == 422
    assert sign_in(Client(), password=NEW).status_code == 302
    rows = AuditEntry.objects.filter(tenant_id=acme.pk, action="user.password_changed")
    assert rows.count() == 1
    assert NEW not in str([row.details for row in AuditEntry.objects.all()])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"current": "wrong"}, "current"),
        ({"new": "short", "repeat": "short"}, "new"),
        ({"new": "yfdbufnjh10305070", "repeat": "yfdbufnjh10305070"}, "new"),
        ({"new": "a" * 1001, "repeat": "a" * 1001}, "new"),
        ({"new": "long enough \x00 but with NUL", "repeat": "long enough \x00 but with NUL"}, "new"),
        ({"repeat": "something else, and long"}, "repeat"),
        ({"new": PASSWORD, "repeat": PASSWORD}, "new"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused_at_its_field_and_the_old_one_stays(people, values, field):
    client = signed_in()
    answer = client.post("/profile/password/", {"current": PASSWORD, "new": NEW, "repeat": NEW, **values})
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize(
    "password", ["💥" * 64, " leading and trailing ", "x" * 985 + " unusual tail!", "ß" * 15 + "ẞ"]
)
def test_unusual_passwords_are_taken_and_compared_exactly(people, password):
    client = signed_in()
    values = {"current": PASSWORD, "new": password, "repeat": password}
    assert client.post("/profile/password/", values).status_code == 302
    assert sign_in(Client(), password=password).status_code == 302
    assert sign_in(Client(), password=password + " ").status_code == 422
    assert sign_in(Client(), password=password.strip()[:-1]).status_code == 422


def test_a_password_set_by_an_administrator_must_be_changed_before_anything_else(people, acme):
    there = signed_in()
    with pytest.raises(InvalidInput) as refused:
        set_by_admin(user=people.tenant_admin, password="short", actor="root@system")
    assert refused.value.field == "password"
    assert there.get("/").status_code == 200
    set_by_admin(user=people.tenant_admin, password="given by the admin", actor="root@system")
    assert there.get("/").status_code == 302
    client = signed_in(password="given by the admin")
    for path in ("/", "/calls/", "/profile/", "/profile/authenticator/"):
        assert client.get(path)["Location"] == "/profile/password/", path
    assert client.post("/calls/upload/", {})["Location"] == "/profile/password/"
    answer = client.post("/profile/password/", {"current": "given by the admin", "new": NEW, "repeat": NEW})
    assert answer.status_code == 302
    assert client.get("/").status_code == 200
    assert client.post("/sign-out/").status_code == 302


def test_the_profile_is_saved_on_the_version_that_was_seen(people, acme):
    client = signed_in()
    version = people.tenant_admin.version
    values = {"version": version, "full_name": "Ada L.", "time_zone": "Asia/Tokyo", "language": "he"}
    assert client.post("/profile/", values).status_code == 302
    user = User.objects.get(pk=people.tenant_admin.pk)
    assert (user.full_name, user.time_zone, user.language) == ("Ada L.", "Asia/Tokyo", "he")
    page = client.get("/profile/").content.decode()
    assert 'dir="rtl"' in page
    assert "Asia/Tokyo" in page
    assert client.post("/profile/", values | {"full_name": "Late"}).status_code == 409
    assert client.post("/profile/", values | {"version": version + 1, "time_zone": "Mars"}).status_code == 422
    assert (
        client.post("/profile/", {**values, "version": version + 1, "role": "1", "email": "x@y.z"}).status_code == 302
    )
    user.refresh_from_db()
    assert (user.full_name, user.email, user.role_id) == ("Ada L.", "", people.tenant_admin.role_id)
    assert actions(acme).count("user.profile_changed") == 2


def test_signing_in_is_remembered_and_what_has_ended_is_pruned(people):
    client = signed_in()
    assert User.objects.get(pk=people.tenant_admin.pk).last_sign_in_at is not None
    UserSession.objects.update(ends_at=F("ends_at") - timedelta(days=1))
    Session.objects.update(expire_date=F("expire_date") - timedelta(days=1))
    assert client.get("/").status_code == 302
    prune()
    prune()
    assert not UserSession.objects.exists()
    assert not Session.objects.exists()


def test_the_command_lets_somebody_in_again_and_names_what_is_wrong(people, acme, capsys):
    with_authenticator(people.tenant_admin)
    call_command("reset_sign_in", "ACME", "Ada", "--second-factor", "--password")
    password = capsys.readouterr().out.rsplit(" ", 1)[1].strip()
    client = signed_in(password=password)
    assert client.get("/")["Location"] == "/profile/password/"
    assert {"user.second_factor_reset", "user.password_set"} <= set(actions(acme))
    assert password not in str([row.details for row in AuditEntry.objects.all()])
    for arguments in (["acme", "nobody", "--password"], ["nowhere", "ada", "--password"], ["acme", "ada"]):
        with pytest.raises(CommandError):
            call_command("reset_sign_in", *arguments)

"""Importing files of threads: JSON lines and mbox, each thread for itself, refusals with field and rule, resumable."""

import io
import json
import os

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from conversations.models import Call
from conversations.texts import thread_data
from conversations.threads.mail import MAX_MAIL_BYTES, split_mbox
from tests.conversations.calls import START, stored_call
from tests.conversations.threads import letter, mbox, raw


@pytest.fixture
def file(tmp_path):
    return tmp_path / "threads"


def run(file, *options: str) -> tuple[int, str, dict]:
    """Exit code, screen and report of the command."""
    screen, report = io.StringIO(), file.parent / "report.json"
    report.unlink(missing_ok=True)
    code = 0
    try:
        call_command("import_threads", str(file), "--tenant", "acme", "--report", str(report), *options, stdout=screen)
    except SystemExit as stop:
        code = int(stop.code)
    return code, screen.getvalue(), json.loads(report.read_text())


def counts(report: dict) -> tuple[int, ...]:
    return tuple(report["counts"].values())


def refusals(report: dict) -> dict[str, str]:
    return {item["source"]: item["field"] for item in report["threads"] if item["result"] == "refused"}


def lines(*values: dict) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_json_lines_are_imported_once_and_brought_up_to_date(acme, people, inside, file):
    file.write_text(lines(raw("one", username="alan"), raw("two", started_at_offset_minutes=-30, started_at=None)))
    code, screen, report = run(file, "--base-time", START.isoformat())
    assert (code, counts(report)) == (0, (2, 0, 0, 0))
    assert "1/2 line 1: imported" in screen
    file.write_text(lines(raw("one", username="alan"), raw("two", "a", "b", "c"), raw("three")))
    assert counts(run(file)[2]) == (1, 1, 1, 0)
    with inside(acme):
        assert Call.objects.get(external_id="one").user == people.agent
        assert Call.objects.count() == 3


def test_every_refused_line_names_field_and_rule_and_the_good_ones_go_in(acme, inside, file):
    with inside(acme):
        stored_call(acme, "call-1")
    good, bad = lines(raw("good")), lines(raw("call-1"), raw("who", username="nobody"), raw("sms", channel="sms"))
    broken = '{"external_id": "a", "external_id": "b"}\n[]\n{\n{"external_id": NaN}\n\xff\n'.encode("latin-1")
    file.write_bytes(bad.encode() + broken + b'"' + b"x" * (16 * 1024 * 1024) + b'"\n\n' + good.encode())
    code, screen, report = run(file)
    assert code == 1
    assert refusals(report) == {
        "line 1": "external_id",
        "line 2": "username",
        "line 3": "channel",
        **{f"line {number}": "line" for number in range(4, 10)},
    }
    assert all(item["message"] for item in report["threads"] if item["result"] == "refused")
    assert counts(report) == (1, 0, 0, 9)
    assert "There is no user with this name" in screen


def conversation() -> list[bytes]:
    """Three e-mails that belong together: the last one answers without references."""
    history = "\n\nOn Fri, 20 Nov 2026 at 9:30, Rita wrote:\n> late"
    return [
        letter("Rita <rita@example.com>", "My parcel is late\nFrom here it looks lost", number=1),
        letter("Alan <ALAN@acme.example>", f"We look{history}", number=2, answers="<m1@x>", to="rita@example.com"),
        letter("rita@example.com", "Any news?", number=3, subject="AW: Re: parcel"),
    ]


def test_the_e_mails_of_an_mbox_become_threads(acme, people, inside, file):
    User.objects.filter(pk=people.agent.pk).update(email="Alan@Acme.example")
    other = letter("rita@example.com", "Something else", number=9, subject="Invoice")
    robot = letter("no-reply@acme.example", "We got it", number=4, answers="<m1@x>", to="rita@example.com")
    file.write_bytes(mbox(*reversed(conversation()), other, robot))
    code, _screen, report = run(file, "--own-domain", "acme.example", "--language", "en")
    assert (code, counts(report)) == (0, (2, 0, 0, 0))
    with inside(acme):
        call = Call.objects.get(external_id="<m1@x>")
        data = thread_data(call.thread)
        assert (call.channel, call.user, call.language, call.thread.subject) == ("email", people.agent, "en", "Parcel")
        assert [m.text for m in data.messages] == [
            "My parcel is late\nFrom here it looks lost",
            "We look",
            "Any news?",
            "We got it",
        ]
        assert data.messages[1].quoted.endswith("> late")
        roles = {person.address: person.role for person in data.participants}
        assert roles == {
            "rita@example.com": "customer",
            "alan@acme.example": "agent",
            "help@acme.example": "agent",
            "no-reply@acme.example": "bot",
        }
        assert Call.objects.filter(external_id="<m9@x>").exists()


def test_a_mailbox_that_holds_only_what_is_new_continues_its_threads(acme, people, inside, file):
    first, answer, _last = conversation()
    file.write_bytes(mbox(first))
    assert counts(run(file)[2]) == (1, 0, 0, 0)
    file.write_bytes(mbox(answer))
    assert counts(run(file)[2]) == (0, 1, 0, 0)
    assert counts(run(file)[2]) == (0, 0, 1, 0)
    with inside(acme):
        assert Call.objects.get().thread.message_count == 2


def test_broken_e_mails_are_refused_for_themselves(acme, inside, file):
    dateless = b"From: a@x.example\nSubject: no date\n\nhello\n"
    nobody = b"Date: Fri, 20 Nov 2026 09:30:00 +0000\n\nhello\n"
    odd = (
        b"From: =?x-unknown?q?R=E9mi?= <r@x.example>\nDate: Fri, 20 Nov 2026 09:30:00 -0000\nMessage-ID: <odd@x>\n"
        b"Content-Type: text/plain; charset=klingon\n\ncaf\xe9\n"
    )
    huge = b"From: a@x.example\nDate: Fri, 20 Nov 2026 09:30:00 +0000\n\n" + (b"x" * 4095 + b"\n") * (
        MAX_MAIL_BYTES // 4096 + 1
    )
    deep = b"From: a@x.example\nDate: Fri, 20 Nov 2026 09:30:00 +0000\n"
    for number in range(300):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)
    file.write_bytes(mbox(dateless, nobody, odd, huge, deep))
    code, _screen, report = run(file)
    assert code == 1
    assert refusals(report) == {
        "message 1": "date",
        "message 2": "from",
        "message 4": "message",
        "message 5": "messages",
    }
    with inside(acme):
        call = Call.objects.get(external_id="<odd@x>")
        assert (call.from_name, thread_data(call.thread).messages[0].text) == ("Rémi", "café")


def test_an_mbox_is_split_at_its_marks_and_read_again_at_any_place():
    content = mbox(b"a: 1\n\nFrom me to you\n", b"b: 2\n\n>From quoted\n")
    file = io.BytesIO(content)
    (first, one), (second, two) = split_mbox(file)
    assert one == b"a: 1\n\nFrom me to you\n\n\n"
    assert two == b"b: 2\n\nFrom quoted\n\n\n"
    file.seek(second)
    assert next(split_mbox(file)) == (second, two)
    assert first == 0


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "folder", "no mbox", "no zone"])
def test_wrong_usage_ends_with_two(acme, file, kind):
    target, options = file, []
    if kind == "link":
        file.with_suffix(".real").write_text(lines(raw()))
        file.symlink_to(file.with_suffix(".real"))
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind != "missing":
        file.write_text(lines(raw()))
        options = ["--format", "mbox"] if kind == "no mbox" else ["--base-time", "2026-11-20T09:30:00"]
    with pytest.raises(CommandError) as refused:
        call_command("import_threads", str(target), "--tenant", "acme", *options, stdout=io.StringIO())
    assert refused.value.returncode == 2

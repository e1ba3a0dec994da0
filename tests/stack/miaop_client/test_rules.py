"""What the client decides without a server: settings, when to ask again, names of files, filters."""

import os
from itertools import count
from pathlib import Path

import pytest

from stack.miaop_client.errors import NOT_FINISHED, WRONG_USAGE, ClientError
from stack.miaop_client.listing import filter_of, moment_ms
from stack.miaop_client.polling import next_wait, poll
from stack.miaop_client.saving import folder_of, line_of, save_json, stem_of
from stack.miaop_client.settings import check_info, read_config, settle

CONFIG = {
    "KEYCLOAK_BASE_URL": "https://example.com:8443",
    "API_BASE_URL": "https://example.com",
    "TENANT": "my-tenant",
    "USERNAME": "user",
    "PASSWORD": "123",
}


def test_config_env_is_read_as_the_guide_writes_it(tmp_path):
    path = tmp_path / "config.env"
    path.write_text(
        '\ufeff# comment\n\nTASK_NAME=Offline Upload Task\nexport BASE_LANGUAGE="Hebrew"\nOTHER=1\n'
        'PASSWORD=a=b#c $HOME\nGENERIC_ADDITIONAL_INFO=\'{"generic_key": "generic_value"}\'\n'
    )
    assert read_config(path) == {
        "TASK_NAME": "Offline Upload Task",
        "BASE_LANGUAGE": "Hebrew",
        "PASSWORD": "a=b#c $HOME",
        "GENERIC_ADDITIONAL_INFO": '{"generic_key": "generic_value"}',
    }
    path.write_text("TENANT=a\nrubbish\n")
    with pytest.raises(ClientError, match="line 2"):
        read_config(path)


def test_a_flag_stands_above_its_key_alone_and_an_empty_flag_is_one(monkeypatch):
    monkeypatch.delenv("MIAOP_PASSWORD", raising=False)
    found = settle({**CONFIG, "TASK_NAME": "stored"}, {"USERNAME": "other", "TASK_NAME": ""}, ask=None)
    assert (found.username, found.task_name, found.tenant, found.password) == ("other", "", "my-tenant", "123")
    assert "123" not in repr(found)


def test_the_password_comes_from_flag_variable_file_or_question_in_this_order(monkeypatch):
    def password(stored: str, flag: str | None, variable: str) -> str:
        monkeypatch.setenv("MIAOP_PASSWORD", variable)
        return settle({**CONFIG, "PASSWORD": stored}, {"PASSWORD": flag}, ask=lambda: "asked").password

    assert password("file", "flag", "variable") == "flag"
    assert password("file", None, "variable") == "variable"
    assert password("file", None, "") == "file"
    assert password("", None, "") == "asked"


@pytest.mark.parametrize("changes", [{"TENANT": ""}, {"API_BASE_URL": "example.com"}, {"PASSWORD": ""}])
def test_what_is_missing_or_no_address_is_named(monkeypatch, changes):
    monkeypatch.delenv("MIAOP_PASSWORD", raising=False)
    with pytest.raises(ClientError, match=next(iter(changes))) as caught:
        settle({**CONFIG, **changes}, {}, ask=None)
    assert caught.value.exit_code == WRONG_USAGE


@pytest.mark.parametrize("info", ["[1]", "7", "{'a':\"b\"}", "[" * 100_000, '{"k":"' + "é" * 5117 + '"}'])
def test_additional_information_that_no_server_takes_is_refused_before_the_upload(info):
    with pytest.raises(ClientError, match="GENERIC_ADDITIONAL_INFO"):
        check_info(info)
    check_info('{"k":"' + "é" * 5116 + '"}')


@pytest.mark.parametrize(
    ("before", "now", "remaining", "wait"),
    [
        ("", "sttPending", 40, 5.0),
        ("sttPending", "sttProcessing", 40, 40.0),
        ("", "sttProcessing", 40, 40.0),
        ("sttProcessing", "sttProcessing", 40, 5.0),
        ("sttPending", "sttProcessing", None, 5.0),
        ("sttPending", "sttProcessing", -3, 5.0),
        ("sttPending", "sttProcessing", True, 5.0),
        ("sttPending", "sttProcessing", 10**9, 86_400.0),
    ],
)
def test_only_the_step_into_processing_waits_as_long_as_the_server_says(before, now, remaining, wait):
    assert next_wait(before, now, remaining, 5.0) == wait


def test_polling_begins_after_a_moment_and_ends_with_the_final_state():
    states = iter(["sttPending", "sttProcessing", "sttProcessing", "sttDone"])
    waits: list[float] = []
    seen = list(
        poll(
            lambda: {"taskStatus": next(states), "sttRemainingTime": 42},
            pause=waits.append,
            clock=lambda: 0.0,
            interval=5.0,
            timeout=100.0,
        )
    )
    assert [task["taskStatus"] for task in seen][-1] == "sttDone"
    assert waits == [3.0, 5.0, 42.0, 5.0]


def test_polling_gives_up_in_time_and_at_a_status_that_does_not_exist():
    ticks = count(0, 10)
    never = poll(
        lambda: {"taskStatus": "sttProcessing"},
        pause=lambda _seconds: None,
        clock=lambda: float(next(ticks)),
        interval=5.0,
        timeout=25.0,
    )
    with pytest.raises(ClientError) as caught:
        list(never)
    assert caught.value.exit_code == NOT_FINISHED
    odd = poll(lambda: {"taskStatus": ["x"]}, pause=lambda _s: None, clock=lambda: 0.0, interval=1.0, timeout=9.0)
    with pytest.raises(ClientError, match="status"):
        list(odd)


def test_names_of_results_keep_their_script_and_never_leave_the_folder(tmp_path):
    assert stem_of(1, "שיחה ראשונה.wav") == "1-שיחה ראשונה"
    assert stem_of(2, "../../etc/passwd") == "2-passwd"
    assert stem_of(3, "..\\..\\a:b\x1b[0m.wav") == "3-a_b_[0m"
    assert stem_of(4, "...") == "4"
    assert len(stem_of(5, "ש" * 300 + ".wav").encode()) <= 182
    assert folder_of(tmp_path, "abc-1") == tmp_path / "abc-1"
    with pytest.raises(ClientError):
        folder_of(tmp_path, "../abc")


def test_a_result_is_replaced_as_a_whole_readable_by_its_owner_alone(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.json"
    save_json(path, {"text": "שלום"})
    assert path.read_text(encoding="utf-8") == '{\n  "text": "שלום"\n}\n'
    assert path.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(os, "replace", _failing)
    with pytest.raises(ClientError, match="cannot be written"):
        save_json(path, {})
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]
    assert "שלום" in path.read_text(encoding="utf-8")


def _failing(_source: Path, _target: Path) -> None:
    raise OSError(28, "No space left on device")


def test_a_line_of_the_readable_text_has_time_speaker_and_words():
    assert line_of({"location": 61_500, "id": "דובר-1", "text": "שלום"}) == "[1:01] דובר-1: שלום"


def test_the_filter_leaves_archived_tasks_out_unless_they_are_wanted():
    assert filter_of(since=None, until=None, archived=True) == {}
    assert filter_of(since=1, until=2, archived=False, supervisor="a@b") == {
        "$and": [
            {"extraData.taskUpdateTimeNumeric": {"$gte": 1, "$lt": 2}},
            {"extraData.archive": {"$ne": True}},
            {"extraData.supervisor.email": "a@b"},
        ]
    }
    assert moment_ms("2025-08-01") == moment_ms("2025-08-01T02:00+02:00") == 1754006400000
    with pytest.raises(ClientError, match="no time"):
        moment_ms("yesterday")

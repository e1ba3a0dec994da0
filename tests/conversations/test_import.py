"""Importing a folder: each call for itself, refusals with field and rule, resumable, nothing read outside the folder."""

import csv
import io
import json
import os
import resource

import pytest
from django.core.management import CommandError, call_command

from conversations.models import Call, Recording
from tests.conversations.calls import START, audio_file, stored_files, wav


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "calls"
    path.mkdir()
    return path


def sidecar(folder, name: str, **fields) -> None:
    values = {"external_id": name, "started_at": START.isoformat(), "audio": f"{name}.wav"} | fields
    (folder / f"{name}.json").write_text(json.dumps({key: value for key, value in values.items() if value != "drop"}))


def good_call(folder, name: str, words: int = 1, **fields) -> None:
    audio_file(folder, f"{name}.wav", wav("hello " * words, duration_ms=5000))
    sidecar(folder, name, **fields)


def run(folder, *options: str, tenant: str = "acme") -> tuple[int, str, dict]:
    """Exit code, screen and report of the command."""
    screen, report = io.StringIO(), folder.parent / "report.json"
    report.unlink(missing_ok=True)
    code = 0
    try:
        call_command("import_calls", str(folder), "--tenant", tenant, "--report", str(report), *options, stdout=screen)
    except SystemExit as stop:
        code = int(stop.code)
    return code, screen.getvalue(), json.loads(report.read_text())


def refusals(report: dict) -> dict[str, str]:
    return {call["source"]: call["field"] for call in report["calls"] if call["result"] == "refused"}


def test_sidecars_are_imported_and_a_second_run_has_nothing_to_do(acme, people, inside, folder):
    good_call(folder, "one", username="alan", tags=["a", "b"], direction="inbound", duration_s=5)
    good_call(folder, "two", 2, started_at="drop", started_at_offset_minutes=-30)
    sidecar(folder, "silent", audio=None)
    code, screen, report = run(folder, "--base-time", START.isoformat())
    assert (code, report["counts"]) == (0, {"imported": 3, "already imported": 0, "refused": 0})
    assert "3 imported" in screen
    assert "1/3 one.json: imported" in screen
    with inside(acme):
        one = Call.objects.get(external_id="one")
        assert (one.user, one.tags, one.direction) == (people.agent, ["a", "b"], "inbound")
        assert (START - Call.objects.get(external_id="two").started_at).total_seconds() == 1800
        assert Recording.objects.get(call=one).label == "one.wav"
        assert Recording.objects.count() == 2
    files = stored_files()
    good_call(folder, "three", 3)
    code, _screen, report = run(folder, "--base-time", START.isoformat())
    assert (code, report["counts"]) == (0, {"imported": 1, "already imported": 3, "refused": 0})
    assert len(stored_files()) == len(files) + 1


def broken_sidecars(folder) -> dict[str, str]:
    """Sidecars that cannot be read as one JSON object of known size; the field that each is refused for."""
    (folder / "twice.json").write_text('{"external_id": "a", "external_id": "b"}')
    (folder / "nan.json").write_text('{"external_id": "a", "duration_s": NaN}')
    (folder / "broken.json").write_text("{")
    (folder / "list.json").write_text("[]")
    (folder / "deep.json").write_text("[" * 60_000)
    (folder / "latin.json").write_bytes(b'{"external_id": "\xff"}')
    (folder / "huge.json").write_text(" " * 70_000)
    return {f"{name}.json": "sidecar" for name in ("twice", "nan", "broken", "list", "deep", "latin", "huge")}


def broken_calls(folder) -> dict[str, str]:
    """Calls that break one rule each; the field that each is refused for."""
    good_call(folder, "column", 2, colour="red")
    good_call(folder, "lie", 3, duration_s=600)
    good_call(folder, "zone", 4, started_at="2026-11-20T09:30:00")
    good_call(folder, "person", 5, username="nobody")
    good_call(folder, "other", 6, external_id="good")
    good_call(folder, "post", 7, channel="email")
    good_call(folder, "twin")
    audio_file(folder, "noise.wav", b"%PDF-1.7")
    sidecar(folder, "noise")
    sidecar(folder, "missing")
    sidecar(folder, "path", audio="../secret.wav")
    audio_file(folder, "orphan.wav")
    return {
        "column.json": "colour",
        "lie.json": "duration",
        "missing.json": "audio",
        "noise.json": "audio",
        "orphan.wav": "audio",
        "other.json": "external_id",
        "path.json": "audio",
        "person.json": "username",
        "post.json": "channel",
        "twin.json": "audio",
        "zone.json": "started_at",
    }


def test_every_refusal_names_field_and_rule_and_the_good_calls_go_in(acme, inside, folder):
    good_call(folder, "good", channel="voice")
    expected = broken_calls(folder) | broken_sidecars(folder)
    code, screen, report = run(folder)
    assert code == 1
    assert refusals(report) == expected
    assert all(call["message"] for call in report["calls"] if call["result"] == "refused")
    assert report["counts"]["imported"] == 1
    assert "There is no such field." in screen
    with inside(acme):
        assert list(Call.objects.values_list("external_id", flat=True)) == ["good"]
    assert len(stored_files()) == 1


def test_links_pipes_and_folders_are_refused_and_not_opened(acme, folder):
    secret = audio_file(folder.parent, "secret.wav")
    (folder / "link.wav").symlink_to(secret)
    os.mkfifo(folder / "pipe.wav")
    (folder / "dir.wav").mkdir()
    for name in ("link", "pipe", "dir"):
        sidecar(folder, name)
    (folder / "side.json").symlink_to(folder / "link.json")
    os.mkfifo(folder / "fifo.json")
    code, _screen, report = run(folder)
    assert code == 1
    assert refusals(report) == {
        "dir.json": "audio",
        "fifo.json": "sidecar",
        "link.json": "audio",
        "pipe.json": "audio",
        "side.json": "sidecar",
    }
    assert stored_files() == set()


def write_csv(folder, rows: list[dict]) -> None:
    with (folder / "calls.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_csv_takes_the_place_of_sidecars(acme, inside, folder):
    audio_file(folder, "a.wav")
    start = START.isoformat()
    base = {"audio": "", "started_at": start, "tags": "", "duration_s": "", "hold_events": ""}
    held = "wait_in_queue 0-0.5; hold 1-2.25"
    write_csv(
        folder,
        [
            {**base, "external_id": "a", "audio": "a.wav", "tags": "x; y", "duration_s": "3.2", "hold_events": held},
            {**base, "external_id": "b"},
            {**base, "external_id": "c", "duration_s": "long"},
            {**base, "external_id": "a"},
            {**base, "external_id": "e", "hold_events": "hold for long"},
        ],
    )
    with (folder / "calls.csv").open("a") as file:
        file.write(f",{start},,,,d,extra cell\n")
    code, _screen, report = run(folder)
    assert code == 1
    assert refusals(report) == {
        "calls.csv row 4": "duration_s",
        "calls.csv row 5": "external_id",
        "calls.csv row 6": "hold_events",
        "calls.csv row 7": "columns",
    }
    with inside(acme):
        taken = Call.objects.get(external_id="a")
        assert taken.tags == ["x", "y"]
        assert taken.hold_events == [
            {"type": "wait_in_queue", "start_ms": 0, "end_ms": 500},
            {"type": "hold", "start_ms": 1000, "end_ms": 2250},
        ]
        assert Call.objects.count() == 2


def test_an_unknown_column_refuses_every_row(acme, inside, folder):
    write_csv(folder, [{"external_id": "a", "started_at": START.isoformat(), "colour": "red"}])
    assert refusals(run(folder)[2]) == {"calls.csv row 2": "colour"}
    write_csv(folder, [{"external_id": "a", "started_at": START.isoformat()}])
    assert run(folder)[0] == 0


def test_a_dry_run_judges_and_stores_nothing(acme, inside, folder):
    good_call(folder, "good", duration_s=5)
    good_call(folder, "lie", 2, duration_s=600)
    code, screen, report = run(folder, "--dry-run")
    assert (code, report["counts"]["imported"], refusals(report)) == (1, 1, {"lie.json": "duration"})
    assert "1 would be imported" in screen
    with inside(acme):
        assert not Call.objects.exists()
    assert stored_files() == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["/does/not/exist", "--tenant", "acme"],
        ["FOLDER", "--tenant", "acme", "--base-time", "2026-11-20T09:30:00"],
        ["FOLDER", "--tenant", "acme", "--format", "csv"],
    ],
)
def test_wrong_usage_ends_with_two(acme, folder, arguments):
    with pytest.raises(CommandError) as refused:
        call_command("import_calls", *[str(folder) if part == "FOLDER" else part for part in arguments])
    assert refused.value.returncode == 2
    with pytest.raises(CommandError):
        call_command("import_calls", str(folder), "--tenant", "nobody")


@pytest.mark.parametrize("room", [2048, 80_000], ids=["not even for the copy", "not for the encrypted file"])
def test_without_room_the_import_stops_with_a_clear_error_and_goes_on_later(acme, inside, folder, room):
    good_call(folder, "a small one", audio=None)
    good_call(folder, "b large")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(CommandError, match="no room for the next call") as refused:
            call_command("import_calls", str(folder), "--tenant", "acme", stdout=io.StringIO())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.returncode == 1
    with inside(acme):
        assert list(Call.objects.values_list("external_id", flat=True)) == ["a small one"]
    assert stored_files() == set()
    code, _screen, report = run(folder)
    assert (code, report["counts"]["imported"], report["counts"]["already imported"]) == (1, 1, 1)

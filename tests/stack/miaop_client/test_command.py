"""The client as a person or a script runs it: files, exit codes, what it sends."""

import json
import stat

import pytest

from tests.stack.miaop_client.conftest import PASSWORD, SENTENCE

FAST = ("--interval", "0.1")
TOKEN = "/realms/my-tenant/protocol/openid-connect/token"


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    """A warning of the client is an error."""
    monkeypatch.setenv("PYTHONWARNINGS", "error")


def test_a_folder_is_submitted_polled_and_saved(client, standin, place):
    done = client(*FAST)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 2 transcripts" in done.stdout
    upload = standin.uploads[0].decode()
    assert 'filename="שיחה.wav"' in upload
    assert "RIFF first" in upload
    task = json.loads(upload.split('name="task"\r\n\r\n', 1)[1].split("\r\n", 1)[0])
    assert (task["tenant"], task["taskName"], task["taskType"]) == ("my-tenant", "Offline Upload Task", "offline")
    assert (task["taskStatus"], task["baseLanguages"]) == ("sttPending", ["Hebrew"])
    assert task["genericAdditionalInfo"] == '{"generic_key": "generic_value"}'
    assert task["supervisor"] == {"name": "", "email": "admin@example.com"}
    assert [meeting["files"] for meeting in task["meetings"]] == [
        [{"file": "two.WAV", "baseLanguage": "Hebrew"}],
        [{"file": "שיחה.wav", "baseLanguage": "Hebrew"}],
    ]
    folder = place / "transcripts" / "abc123"
    assert sorted(path.name for path in folder.iterdir()) == [
        "1-two.meeting.json",
        "1-two.transcript.json",
        "1-two.txt",
        "2-שיחה.meeting.json",
        "2-שיחה.transcript.json",
        "2-שיחה.txt",
        "task.json",
    ]
    assert (folder / "2-שיחה.txt").read_text(encoding="utf-8") == f"[1:01] דובר-1: {SENTENCE}\n"
    assert SENTENCE in (folder / "2-שיחה.transcript.json").read_text(encoding="utf-8")
    assert stat.S_IMODE((folder / "2-שיחה.txt").stat().st_mode) == 0o600
    assert ("POST", "/realms/my-tenant/protocol/openid-connect/logout") in standin.asked


def test_flags_stand_above_config_env(client, standin):
    assert client(*FAST, "--tn", "Other", "-s", "b@example.com", "-l", "English", "--gai", "{}").returncode == 0
    task = json.loads(standin.uploads[0].decode().split('name="task"\r\n\r\n', 1)[1].split("\r\n", 1)[0])
    assert (task["taskName"], task["baseLanguages"]) == ("Other", ["English"])
    assert (task["supervisor"]["email"], task["genericAdditionalInfo"]) == ("b@example.com", "{}")


def test_one_failed_file_is_exit_code_6_and_the_others_are_saved(client, standin, place):
    standin.failed = {1}
    done = client(*FAST)
    assert done.returncode == 6
    assert "two.WAV: UnsupportedAudio cannot be decoded" in done.stdout
    names = {path.name for path in (place / "transcripts" / "abc123").iterdir()}
    assert "2-שיחה.txt" in names
    assert "1-two.txt" not in names


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-p", "wrong"), 4, "Invalid user credentials"),
        (("-d", "nowhere"), 1, "nowhere cannot be read"),
        (("-d", "."), 2, "holds no audio file"),
        (("--gai", "[]"), 2, "JSON object"),
        (("--config", "none.env"), 2, "none.env cannot be read"),
        (("--timeout", "0.2"), 7, "goes on at the server"),
        (("--ca", "config.env"), 1, "no certificates"),
        (("list", "--since", "yesterday"), 2, "no time"),
    ],
)
def test_every_trouble_is_one_line_and_an_exit_code(client, standin, arguments, code, words):
    standin.statuses = ["sttPending"]
    done = client(*FAST, *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert PASSWORD not in done.stdout + done.stderr


def test_a_refused_submission_says_what_the_server_said_and_steers_no_terminal(client, standin):
    details = [{"path": "/taskType", "message": "must be \x1b[31moffline"}]
    error = {"statusCode": 400, "code": "INVALID_TASK", "message": "no", "details": details}
    standin.instead[("POST", "/hrec")] = [(400, {}, {"error": error})]
    done = client(*FAST)
    assert done.returncode == 5
    assert "INVALID_TASK: no (/taskType must be  [31moffline)" in done.stderr
    assert not standin.asked.count(("GET", "/api/tasks/abc123"))


def test_no_server_is_exit_code_3(client, place):
    text = (place / "config.env").read_text().splitlines()
    text[1] = "KEYCLOAK_BASE_URL=http://127.0.0.1:9"
    (place / "config.env").write_text("\n".join(text))
    done = client(*FAST)
    assert (done.returncode, "cannot be reached" in done.stderr) == (3, True)


def test_a_token_that_ran_out_is_renewed_and_the_request_made_again(client, standin):
    standin.instead[("GET", "/api/tasks/abc123")] = [(401, {}, {})]
    assert client(*FAST).returncode == 0
    assert [form["grant_type"] for form in standin.forms] == ["password", "refresh_token"]


def test_a_refresh_token_that_is_not_taken_leads_to_a_new_sign_in(client, standin):
    standin.instead[("GET", "/api/tasks/abc123")] = [(401, {}, {})]
    refuse = (400, {}, {"error": "invalid_grant"})
    take = (200, {}, {"access_token": "t", "expires_in": 300, "refresh_token": "r"})
    standin.instead[("POST", TOKEN)] = [take, refuse]
    assert client(*FAST).returncode == 0
    assert [form["grant_type"] for form in standin.forms] == ["password"]


def test_a_busy_server_is_asked_again_when_it_says(client, standin):
    standin.instead[("POST", "/hrec")] = [(429, {"Retry-After": "0"}, {}), (503, {"Retry-After": "0"}, {})]
    assert client(*FAST).returncode == 0
    assert standin.asked.count(("POST", "/hrec")) == 3


def test_a_redirect_is_not_followed(client, standin):
    standin.instead[("POST", TOKEN)] = [(302, {"Location": "http://127.0.0.1:9/"}, {})]
    assert client(*FAST).returncode == 4


def test_tasks_are_listed_with_the_filter(client, standin):
    done = client("list", "-s", "admin@example.com", "--since", "2025-08-01")
    assert (done.returncode, "abc123" in done.stdout, "Nightly" in done.stdout) == (0, True, True)
    assert json.loads(standin.filters[0]) == {
        "$and": [
            {"extraData.taskUpdateTimeNumeric": {"$gte": 1754006400000}},
            {"extraData.archive": {"$ne": True}},
            {"extraData.supervisor.email": "admin@example.com"},
        ]
    }
    assert json.loads(client("list", "--json", "--filter", '{"x":1}').stdout)[0]["taskId"] == "abc123"
    assert standin.filters[1] == '{"x":1}'


def test_the_password_of_the_environment_is_used_and_appears_nowhere(client, standin, place):
    text = (place / "config.env").read_text().replace(f"PASSWORD={PASSWORD}\n", "")
    (place / "config.env").write_text(text)
    done = client("list")
    assert (done.returncode, "MIAOP_PASSWORD" in done.stderr) == (2, True)
    assert client("list", MIAOP_PASSWORD=PASSWORD).returncode == 0


def test_check_names_what_deviates_and_ends_with_its_own_exit_code(client, standin):
    done = client("--check", "--json", *FAST)
    assert done.returncode == 8, done.stderr
    found = {outcome["ids"]: outcome for outcome in json.loads(done.stdout)}
    assert "R6.4" in found
    assert any("Cache-Control" in words for words in found["T03"]["deviations"])
    assert any("unknown user" in words for words in found["T03"]["deviations"])
    assert any("taskType x" in words for words in found["T15 T16 4.4"]["deviations"])

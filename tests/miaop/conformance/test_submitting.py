"""T09–T17 and T24: what is taken, what is refused with nothing stored, and who sees what."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.miaop.conformance.conftest import MOST_BYTES, speech, task_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("miaop conformance")]
ONE = ("one.wav", speech("one"))
# The files of a task, the names of the blobs, and which blob each file is.
NAMES = [
    (["א.wav", "ב.wav"], ["ב.wav", "א.wav"], [1, 0]),
    (["a;b,c&d.wav", 'q"uote.wav'], ['q"uote.wav', "a;b,c&d.wav"], [1, 0]),
    (["one.wav", "two.wav"], ["folder/two.wav", "C:\\calls\\one.wav"], [1, 0]),
    (["one.wav", "two.wav"], ["two.WAV", "one.WAV"], [1, 0]),
    (["one", "two"], ["two.wav", "one.wav"], [1, 0]),
    (["same.wav", "same.wav"], ["same.wav", "same.wav"], [0, 1]),
    (["a.wav", "b.wav"], ["x.wav", "y.wav"], [0, 1]),
]
TEXTS = ["hello thank you", "good morning"]
BY_CURL = ["hello", "good morning", "thank you"]


def curl_submit(site, *parts: str, cwd) -> tuple[int, dict]:
    """A submission by curl, whose parts are written as people write them."""
    header = f"Authorization: {site.bearer('ivy')['Authorization']}"
    line = ["curl", "-s", "--noproxy", "*", "-w", "\n%{http_code}", f"{site.base}/hrec", "-H", header]
    for part in parts:
        line += ["-F", part]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True, cwd=cwd)
    body, _newline, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


@pytest.fixture(scope="module")
def named(site) -> list[str]:
    """A task for each of NAMES."""
    sounds = [speech(text) for text in TEXTS]
    return [site.submit(task_of(*files), *zip(blobs, sounds, strict=True)) for files, blobs, _order in NAMES]


@pytest.fixture(scope="module")
def owned(site) -> dict[str, str]:
    """Tasks by whose they are."""

    def sent(supervisor: str = "", **who: str) -> str:
        person = {"supervisor": {"name": "", "email": f"{supervisor}@acme.example"}} if supervisor else {}
        return site.submit(task_of("one.wav", **person), ONE, **who)

    return {
        "of ivy": sent(),
        "for alan of Sales": sent("ALAN"),
        "for rita": sent("rita"),
        "of rita": sent(user="rita"),
        "of stan": sent(user="stan", realm="globex"),
    }


@pytest.fixture(scope="module")
def by_curl(site, tmp_path_factory) -> str:
    """A task whose files curl names, the last one first."""
    names, place = ["שיחה.wav", 'q"uote.wav', "a;b,c&d.wav"], tmp_path_factory.mktemp("curl")
    for number, text in enumerate(BY_CURL):
        (place / f"{number}.wav").write_bytes(speech(text))
    quoted = [name.replace('"', '\\"') for name in names]
    parts = [f'soundBlob=@{number}.wav;filename="{name}"' for number, name in enumerate(quoted)]
    (place / "task.json").write_text(json.dumps(task_of(*reversed(names)), ensure_ascii=False))
    status, body = curl_submit(site, "task=<task.json", *parts, cwd=place)
    assert status == 200, body
    return body["taskId"]


def test_t09_the_task_may_be_a_field_a_typed_field_or_a_file(site, tmp_path):
    task = json.dumps(task_of("one.wav"))
    (tmp_path / "one.wav").write_bytes(ONE[1])
    (tmp_path / "task.json").write_text(task)
    for part in (f"task={task}", f"task={task};type=application/json", "task=@task.json", "task=<task.json"):
        assert curl_submit(site, part, "soundBlob=@one.wav", cwd=tmp_path)[0] == 200, part


# Under way at the same time, so that one wait is enough for all three.
@pytest.mark.usefixtures("by_curl", "owned")
def test_t10_names_lead_the_right_audio_to_the_right_meeting(site, named):
    for task_id, (files, _blobs, order) in zip(named, NAMES, strict=True):
        assert site.ended(task_id)["taskStatus"] == "sttDone", files
        assert [site.words(f"{n}.{task_id}") for n in (1, 2)] == [TEXTS[place] for place in order], files


def test_t10_curl_sends_the_same_names(site, by_curl):
    site.ended(by_curl)
    assert [site.words(f"{n}.{by_curl}") for n in (1, 2, 3)] == BY_CURL[::-1]


def test_t11_what_does_not_fit_is_refused_and_nothing_is_stored(site):
    tasks, files = site.tasks(), site.files()
    empty, second = ("one.wav", b""), ("two.wav", ONE[1])
    large, largest = ("one.wav", bytes(MOST_BYTES + 1)), ("one.wav", bytes(MOST_BYTES))
    many = [f"{number}.wav" for number in range(201)]
    cases = [
        (task_of("one.wav", "two.wav"), [ONE], 400, "FILE_MISMATCH"),
        (task_of("one.wav"), [ONE, second], 400, "FILE_MISMATCH"),
        (task_of("one.wav"), [empty], 400, "EMPTY_FILE"),
        (task_of("one.wav"), [large], 413, "FILE_TOO_LARGE"),
        (task_of("one.wav", "two.wav"), [second, large], 413, "FILE_TOO_LARGE"),
        (task_of(*many), [(name, b"RIFF") for name in many], 400, "TOO_MANY_FILES"),
    ]
    for task, blobs, status, code in cases:
        answer = site.post(task, *blobs)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert site.tasks() == tasks
    assert site.files() - files == set()
    assert site.post(task_of("one.wav"), largest).status_code == 200
    assert len(site.tasks() - tasks) == len(site.files() - files) == 1


def test_t11_curl_reads_the_refusal_of_a_file_far_over_the_limit(site, tmp_path):
    (tmp_path / "one.wav").write_bytes(bytes(20 * MOST_BYTES))
    status, body = curl_submit(site, f"task={json.dumps(task_of('one.wav'))}", "soundBlob=@one.wav", cwd=tmp_path)
    assert (status, body["error"]["code"]) == (413, "FILE_TOO_LARGE")


def test_t12_more_than_a_hundred_files_are_one_task(site):
    names = [f"{number}.wav" for number in range(101)]
    task_id = site.submit(task_of(*names), *((name, b"RIFF no audio") for name in names))
    assert len(site.get(f"/api/tasks/{task_id}").json()["meetings"]) == 101


def test_t13_additional_information_comes_back_in_the_type_it_came_in(site):
    for info in ('{"crm": "א"}', {"crm": "א", "n": 7}):
        task_id = site.submit(task_of("one.wav", genericAdditionalInfo=info), ONE)
        assert site.get(f"/api/tasks/{task_id}").json()["genericAdditionalInfo"] == info
    fits = '{"k":"' + "é" * 5116 + '"}'
    assert len(fits.encode()) == 10_240
    assert site.post(task_of("one.wav", genericAdditionalInfo=fits), ONE).status_code == 200
    for info in (fits + " ", "[1]", "7", "{'a':\"b\"}", [1]):
        assert site.post(task_of("one.wav", genericAdditionalInfo=info), ONE).status_code == 400, info


def test_t14_an_id_names_one_task_of_a_tenant(site):
    generated = site.submit(task_of("one.wav"), ONE)
    assert len(generated) == 16
    assert set(generated) <= set("abcdefghijklmnopqrstuvwxyz0123456789")
    task = task_of("one.wav", taskId="Nightly-1")
    before = site.tasks()
    assert [site.submit(task, ONE) for _twice in range(2)] == ["Nightly-1"] * 2
    assert len(site.tasks() - before) == 1
    other = site.post({**task, "taskName": "Other"}, ONE)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "TASK_EXISTS")
    assert site.submit(task, ONE, user="stan", realm="globex") == "Nightly-1"
    for bad in ("a.b", "a/b", "../x", "é", "a" * 129):
        assert site.post(task_of("one.wav", taskId=bad), ONE).status_code == 400, bad


def test_t15_rules_of_members_and_the_old_names_of_languages(site):
    for changes in ({"taskType": "online"}, {"taskStatus": "sttDone"}, {"meetings": []}):
        answer = site.post(task_of("one.wav", **changes), ONE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_TASK"), changes
    answer = site.post(task_of("one.wav", language="hebrew"), ONE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "UNSUPPORTED_LANGUAGE")
    assert "Hebrew" in answer.text
    old = task_of("one.wav", baseLanguages=None, sttLanguages=["Hebrew"])
    old["meetings"] = [{"files": [{"file": "one.wav", "sttLanguage": "Hebrew"}]}]
    assert site.get(f"/api/tasks/{site.submit(old, ONE)}").json()["baseLanguages"] == ["Hebrew"]


def test_t16_a_tenant_is_ones_own_and_a_system_user_names_it(site):
    assert site.post(task_of("one.wav", tenant="globex"), ONE).json()["error"]["code"] == "TENANT_MISMATCH"
    root = {"user": "root", "realm": "master"}
    assert site.post(task_of("one.wav"), ONE, **root).status_code == 400
    assert site.post(task_of("one.wav", tenant="nowhere"), ONE, **root).json()["error"]["code"] == "UNKNOWN_TENANT"
    task_id = site.submit(task_of("one.wav", tenant="acme"), ONE, **root)
    assert site.get(f"/api/tasks/{task_id}", **root).json()["tenant"] == "acme"
    assert site.get(f"/api/tasks/{task_id}", user="stan", realm="globex").status_code == 404


def test_t17_what_a_caller_may_not_see_is_not_there(site):
    own = site.submit(task_of("one.wav"), ONE, user="ira")
    for path in (f"/api/tasks/{own}", f"/api/meetings/1.{own}", f"/api/stt/1.{own}/0"):
        found, foreign, unknown = (
            site.get(path, user="ira"),
            site.get(path, user="stan", realm="globex"),
            site.get(path.replace(own, "none"), user="stan", realm="globex"),
        )
        assert found.status_code == 200 or path.startswith("/api/stt")
        assert foreign.status_code == unknown.status_code == 404
        assert foreign.json()["error"] == unknown.json()["error"]
    assert own not in [task["taskId"] for task in site.get("/api/tasks", user="stan", realm="globex").json()]
    assert site.get("/api/tasks", user="alan").status_code == 403
    assert site.post(task_of("one.wav"), ONE, user="alan").json()["error"]["code"] == "PERMISSION_DENIED"


def test_t17_everybody_reads_the_tasks_that_are_his_to_see_and_transcripts_where_he_may(site, owned):
    everywhere = {"user": "root", "realm": "master"}
    ended = {name: site.ended(task_id, **everywhere)["taskStatus"] for name, task_id in owned.items()}
    assert set(ended.values()) == {"sttDone"}
    acme = set(owned) - {"of stan"}
    seen = {
        ("ivy", "acme", 200): acme,
        ("sue", "acme", 200): {"for alan of Sales"},
        # Without the right to read transcripts.
        ("rita", "acme", 403): {"for rita", "of rita"},
        ("stan", "globex", 200): {"of stan"},
        ("root", "master", 200): set(owned),
    }
    for (user, realm, transcript), names in seen.items():
        who = {"user": user, "realm": realm}
        listed = site.get("/api/tasks", **who, filter=json.dumps({"taskId": {"$in": list(owned.values())}})).json()
        assert {task["taskId"] for task in listed} == {owned[name] for name in names}, user
        for name, task_id in owned.items():
            paths = (f"/api/tasks/{task_id}", f"/api/meetings/1.{task_id}", f"/api/stt/1.{task_id}/0")
            wanted = [200, 200, transcript] if name in names else [404] * 3
            assert [site.get(path, **who).status_code for path in paths] == wanted, (user, name)


def test_t24_fifty_submissions_at_once_are_all_stored(site):
    before = site.tasks()
    site.bearer("ivy")
    sounds = [speech(f"w{number + 4096:04x}") for number in range(50)]

    def send(number: int) -> str:
        return site.submit(task_of("one.wav", taskName=f"parallel {number}"), ("one.wav", sounds[number]))

    with ThreadPoolExecutor(50) as pool:
        ids = list(pool.map(send, range(50)))
    assert len(set(ids)) == 50
    assert {row[0] for row in site.tasks() - before} == set(ids)
    ended = {task_id: site.ended(task_id)["taskStatus"] for task_id in ids}
    assert set(ended.values()) == {"sttDone"}
    assert [site.words(f"1.{task_id}") for task_id in ids] == [f"w{number + 4096:04x}" for number in range(50)]

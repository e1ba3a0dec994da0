"""T01, T02 and our own client: whole flows of the guide by Node, by bash with curl, and by ``./parlance miaop-client``."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machine import ROOT
from tests.miaop.conformance.conftest import Done, Site, run, run_script, speech
from tests.miaop.conformance.world import PASSWORD

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("miaop conformance")]
HEBREW = "שלום בוקר טוב מדברת נועה"
TEXTS = ["hello thank you", "my bill is too high", "please hold the line"]


def by_node(site: Site, place: Path) -> Done:
    path = place / "recording"
    path.write_bytes(speech(HEBREW))
    return run_script(site, place, "guide.mjs", str(path), "שיחה עם לקוח.wav", "Hebrew")


def by_bash(site: Site, place: Path) -> Done:
    (place / "calls").mkdir()
    for number, text in enumerate(TEXTS):
        (place / "calls" / f"call-{number}.wav").write_bytes(speech(text))
    return run_script(site, place, "offline-transcription.sh", "calls", "English")


def by_our_client(site: Site, place: Path) -> Done:
    (place / "files").mkdir()
    (place / "files" / "שיחה.wav").write_bytes(speech(f"{HEBREW} תודה"))
    (place / "files" / "broken.wav").write_bytes(b"no audio at all" * 100)
    return run_client(site, place, "--interval", "0.5", user="ira")


def by_the_check(site: Site, place: Path) -> Done:
    (place / "files").mkdir()
    return run_client(site, place, "--check", "--json", "--interval", "0.5", user="kit")


def by_the_readme(site: Site, place: Path) -> Done:
    _settings, flow = readme()
    given = {"API": site.base, "TENANT": "acme", "USERNAME": "sue", "PASSWORD": PASSWORD}
    return run(["bash", "-eu", "-c", flow], ROOT, **given)


def readme() -> list[str]:
    """The two blocks of the README's page for integrators: what is set, and the flow."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```bash\n(.*?)```", text.split("## For integrators", 1)[1], re.DOTALL)


def run_client(site: Site, place: Path, *arguments: str, user: str = "ivy") -> Done:
    lines = {"KEYCLOAK_BASE_URL": site.base, "API_BASE_URL": site.base, "TENANT": "acme", "USERNAME": user}
    lines |= {"BASE_LANGUAGE": "Hebrew", "FILES_DIR": "./files", "SUPERVISOR_EMAIL": f"{user}@acme.example"}
    (place / "config.env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    line = [sys.executable, "-P", "-m", "stack", "miaop-client", *arguments]
    return run(line, place, PYTHONPATH=str(ROOT), MIAOP_PASSWORD=PASSWORD)


@dataclass
class Flow:
    """A flow that runs, and where."""

    place: Path
    running: Future[Done]

    @property
    def done(self) -> Done:
        """Its end, waited for."""
        return self.running.result()


@pytest.fixture(scope="module")
def flows(site, tmp_path_factory) -> Iterator[Callable[[Callable[[Site, Path], Done]], Flow]]:
    """All flows are under way at the same time, because each of them waits for the server most of its life."""
    all_flows = (by_the_check, by_our_client, by_the_readme, by_bash, by_node)
    with ThreadPoolExecutor(len(all_flows)) as pool:
        places = {flow: tmp_path_factory.mktemp(flow.__name__) for flow in all_flows}
        begun = {flow: Flow(place, pool.submit(flow, site, place)) for flow, place in places.items()}
        yield begun.__getitem__


def test_t01_the_flow_of_the_guide_in_node_with_a_hebrew_file(flows):
    done = flows(by_node).done
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    task = found["task"]
    assert (found["status"], task["taskStatus"], task["baseLanguages"]) == (200, "sttDone", ["Hebrew"])
    assert (task["taskCreationTime"], task["docSections"]) == ("15.07.2025 10:30", [])
    assert task["supervisor"] == {"name": "", "email": "ivy@acme.example"}
    assert task["taskId"] in found["listed"]
    assert found["meeting"]["metadata"]["files"] == [{"file": "שיחה עם לקוח.wav", "baseLanguage": "Hebrew"}]
    first = found["stt"]["transcription"][0]
    assert (first["id"], first["text"]) == ("דובר-1", HEBREW)
    # T20: integers, positive while it is processed, nothing left at the end.
    assert all(type(remaining) is int and remaining <= 900 for _status, remaining in found["seen"])
    assert all(remaining > 0 for status, remaining in found["seen"] if status == "sttProcessing")
    assert found["seen"][-1] == ["sttDone", 0]


def test_t02_a_bash_script_with_curl_gets_three_transcripts_in_order(flows):
    done = flows(by_bash).done
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["sttDone", *TEXTS]


def test_our_client_submits_waits_and_saves_and_says_which_file_failed(site, flows):
    flow = flows(by_our_client)
    assert flow.done.returncode == 6, flow.done.stderr
    assert "broken.wav: UnsupportedAudio" in flow.done.stdout
    saved = next((flow.place / "transcripts").iterdir())
    assert (saved / "2-שיחה.txt").read_text(encoding="utf-8") == f"[0:00] דובר-1: {HEBREW} תודה\n"
    listed = run_client(site, flow.place, "list", "--json", "-s", "ira@acme.example", user="ira")
    assert saved.name in [task["taskId"] for task in json.loads(listed.stdout)]


def test_the_lines_of_the_readme_work_as_they_are_written(flows):
    assert set(re.findall(r"(\w+)=", readme()[0])) == {"API", "TENANT", "USERNAME", "PASSWORD"}
    done = flows(by_the_readme).done
    assert done.returncode == 0, done.stdout + done.stderr
    status, listed, meeting, transcript = done.stdout.splitlines()
    assert status == "sttDone"
    assert [task["taskName"] for task in json.loads(listed)] == ["By hand"]
    assert json.loads(meeting)["metadata"]["files"][0]["file"] == "שיחה עם לקוח.ogg"
    assert json.loads(transcript)["transcription"][0]["id"] == "Speaker-1"


def test_the_check_of_our_client_finds_no_deviation(flows):
    done = flows(by_the_check).done
    assert done.stdout, done.stderr
    outcomes = json.loads(done.stdout)
    assert {each["ids"]: each["deviations"] for each in outcomes if each["deviations"]} == {}
    assert [each["ids"] for each in outcomes if each["skipped"]] == []
    assert done.returncode == 0

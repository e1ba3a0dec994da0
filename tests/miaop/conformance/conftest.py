"""One running stack for all of it, and the three clients: curl, Node and Python."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
import pytest

from speechserver.tones import spoken, tone_wav
from tests.accounts.issuer import Issuer
from tests.machine import ROOT, Machine, free_port, reachable, running_machine
from tests.miaop.conformance.world import PASSWORD
from tests.polling import until

HERE = Path(__file__).parent
Done = subprocess.CompletedProcess[str]
FINAL = ("sttDone", "error")
# Bytes that a file may have here.
MOST_BYTES = 1_000_000


@dataclass
class Site:
    """The stack as its clients see it."""

    machine: Machine
    http: httpx2.Client
    # An issuer outside that Acme trusts, and a second web process that answers as Keycloak does since 26.6.
    issuer: Issuer
    newer: str
    # Closes what a test opens here, when the stack ends.
    ending: ExitStack
    held: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """Both base URLs of the guide."""
        return self.machine.url("")

    def grant(self, user: str, realm: str = "acme", at: str = "", **form: Any) -> httpx2.Response:
        """A sign-in by password, ``at`` another web process; members can be changed, None takes one away."""
        good = {"grant_type": "password", "client_id": "browser_client", "username": user, "password": PASSWORD}
        sent = {name: value for name, value in {**good, **form}.items() if value is not None}
        return self.http.post(f"{at}/realms/{realm}/protocol/openid-connect/token", data=sent)

    def bearer(self, username: str, realm: str = "acme") -> dict[str, str]:
        """The header of a user, signed in once."""
        if (realm, username) not in self.held:
            self.held[realm, username] = self.grant(username, realm).json()["access_token"]
        return {"Authorization": f"Bearer {self.held[realm, username]}"}

    def get(self, path: str, user: str = "ivy", realm: str = "acme", **params: str) -> httpx2.Response:
        """A read by a user."""
        return self.http.get(path, headers=self.bearer(user, realm), params=params or None)

    def post(
        self, task: dict[str, Any], *blobs: tuple[str, bytes], user: str = "ivy", realm: str = "acme"
    ) -> httpx2.Response:
        """A submission by a user."""
        parts = [("soundBlob", (name, audio, "audio/wav")) for name, audio in blobs]
        data = {"task": json.dumps(task, ensure_ascii=False)}
        return self.http.post("/hrec", headers=self.bearer(user, realm), data=data, files=parts)

    def submit(self, task: dict[str, Any], *blobs: tuple[str, bytes], **who: str) -> str:
        """The id of a submission that is taken."""
        answer = self.post(task, *blobs, **who)
        assert answer.status_code == 200, answer.text
        task_id: str = answer.json()["taskId"]
        return task_id

    def ended(self, task_id: str, **who: str) -> dict[str, Any]:
        """The task in its final state."""
        found: dict[str, Any] = until(
            lambda: (task := self.get(f"/api/tasks/{task_id}", **who).json())["taskStatus"] in FINAL and task,
            seconds=60,
            every=0.3,
        )
        return found

    def words(self, meeting_id: str, **who: str) -> str:
        """What is said in a meeting."""
        answer = self.get(f"/api/stt/{meeting_id}/0", **who)
        assert answer.status_code == 200, answer.text
        return " ".join(word["word"] for part in answer.json()["transcription"] for word in part["words"])

    def called(self, token: str) -> int:
        """The status of a read with this token."""
        return self.http.get("/api/tasks", headers={"Authorization": f"Bearer {token}"}).status_code

    @cached_property
    def acme(self) -> tuple[str, str]:
        """Acme's id and schema."""
        return self.machine.ask("SELECT id::text, schema_name FROM tenants_tenant WHERE slug = 'acme'")[0]

    @cached_property
    def pages(self) -> "Pages":
        """The pages of Acme's administrator, signed in once."""
        return Pages(self.ending.enter_context(httpx2.Client(base_url=self.base, timeout=30, trust_env=False)))

    def tasks(self) -> set[tuple]:
        """The ids of all tasks of Acme that lie in the database."""
        return set(self.machine.ask(f'SELECT task_id FROM "{self.acme[1]}".miaop_task'))

    def files(self) -> set[Path]:
        """Everything in the store of audio and in the folder of uploads under way."""
        folders = (self.machine.base / "media", self.machine.base / "incoming")
        return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


class Pages:
    """A browser that signed in at the page."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http
        self.http.get("/sign-in/")
        done = self.post("/sign-in/", organisation="acme", username="ada", password=PASSWORD)
        assert done.status_code == 302, done.text[:500]

    def post(self, path: str, **form: str) -> httpx2.Response:
        """A form as the browser sends it."""
        token = {"csrfmiddlewaretoken": self.http.cookies["csrftoken"]}
        return self.http.post(path, data=form | token, headers={"Referer": f"{self.http.base_url}"})

    @property
    def session(self) -> str:
        """The value of its cookie."""
        return self.http.cookies["sessionid"]


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    """Web, worker and beat with three tenants of which one has no API, and an issuer outside."""
    if shutil.which("curl") is None:
        pytest.skip("no curl: run `apt-get install curl`")
    with ExitStack() as ending:
        issuer = Issuer()
        ending.callback(issuer.close)
        machine = ending.enter_context(running_machine(tmp_path_factory.mktemp("conformance") / "speech"))
        newer = begin(machine, issuer)
        http = ending.enter_context(httpx2.Client(base_url=machine.url(""), timeout=90, trust_env=False))
        yield Site(machine, http, issuer, newer, ending)


def begin(machine: Machine, issuer: Issuer) -> str:
    """Fill the database and start the processes; returns the address of the second web process."""
    machine.env |= {
        "PARLANCE_BASE_URL": machine.url("/"),
        "PARLANCE_MIAOP_MAX_FILE_BYTES": str(MOST_BYTES),
        # One user makes the submissions of many tests within a minute.
        "PARLANCE_MIAOP_REQUESTS_A_MINUTE": "6000",
        "PARLANCE_MIAOP_SUBMISSIONS_A_MINUTE": "600",
    }
    port = free_port()
    for name in ("beat", "worker", "web"):
        machine.spawn(name)
    machine.spawn("second web", port=port, PARLANCE_REALMS_ERRORS="keycloak-26.6")
    child = [sys.executable, "-m", "tests.miaop.conformance.world"]
    env = machine.env | {"CONFORMANCE_ISSUER": issuer.url}
    done = subprocess.run(child, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    newer = f"http://127.0.0.1:{port}"
    until(lambda: reachable(machine.url("/readyz")) and reachable(f"{newer}/readyz"), seconds=60, every=0.2)
    return newer


def task_of(*names: str, language: str = "English", **changes: Any) -> dict[str, Any]:
    """A good task of these files; None takes a member away."""
    task = {
        "taskName": "Conformance",
        "taskType": "offline",
        "taskStatus": "sttPending",
        "baseLanguages": [language],
        "meetings": [{"files": [{"file": name, "baseLanguage": language}]} for name in names],
        **changes,
    }
    return {name: value for name, value in task.items() if value is not None}


def speech(text: str, *, start_ms: int = 200) -> bytes:
    """A recording of one channel; other words make other audio."""
    return tone_wav([spoken(text, start_ms)], duration_ms=max(3000, start_ms + 450 * len(text.split()) + 500))


def run_script(site: Site, place: Path, name: str, *arguments: str, user: str = "ivy", **extra: str) -> Done:
    """Run a script of this folder, bash or Node, in ``place``, with the settings of ``config.env`` as environment."""
    settings = {
        "KEYCLOAK_BASE_URL": site.base,
        "API_BASE_URL": site.base,
        "TENANT": "acme",
        "USERNAME": user,
        "PASSWORD": PASSWORD,
        "SUPERVISOR_EMAIL": f"{user}@acme.example",
    }
    program = _node() if name.endswith(".mjs") else "bash"
    return run([program, str(HERE / name), *arguments], place, **settings, **extra)


def run(line: Sequence[str], place: Path, **extra: str) -> Done:
    """Run a program that speaks to the stack to its end."""
    env = {**os.environ, "no_proxy": "127.0.0.1", **extra}
    return subprocess.run(line, env=env, cwd=place, capture_output=True, text=True, timeout=180)


def _node() -> str:
    """Node of this machine, else the one that the browser tests bring along."""
    found = shutil.which("node")
    if found:
        return found
    import playwright

    return str(Path(playwright.__file__).parent / "driver" / "node")

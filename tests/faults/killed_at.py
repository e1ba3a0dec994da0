"""What tests of killed workers know of each provider: its stand-in, its engine, its requests, and what is left there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.standing_in import BUCKET, KEY, PASSWORD, REALM, STORAGE_KEY, USER, StandIn
from tests.speechserver.conftest import TOKEN

# Where a worker can die, as the traps of ``crash_child`` name it: the point, and the side of it.
STEPS = {
    "before the upload": ("upload", "before"),
    "while the recording is handed over": ("file", "before"),
    "when the recording was handed over": ("file", "after"),
    "while the job is asked for": ("submission", "before"),
    "when the answer to that is lost": ("submission", "after"),
    "before the handle is stored": ("handle saved", "before"),
    "before a check": ("check", "before"),
    "when the transcript is there": ("end saved", "before"),
    "when all is stored": ("end saved", "after"),
    "before the clean-up": ("clean-up", "before"),
    "between two deletions": ("deletion", "before"),
    "after the clean-up": ("clean-up", "after"),
}
HANDOVER = ("while the recording is handed over", "when the recording was handed over")
DELETIONS = ("between two deletions",)
LOST = ("when the answer to that is lost", "before the handle is stored")
UNSTORED = ("when the answer to that is lost", "when the transcript is there")
CLEAN_UPS = ("before the clean-up", *DELETIONS, "after the clean-up")


@dataclass(frozen=True)
class Killed:
    """A provider. ``submission``, ``file`` and ``deletion`` are method and path of the request that makes the job, of one
    that hands the recording over before, and of the second of two deletions.

    ``requests`` is how many a recording of two channels takes. ``left`` is what the provider has in all, by names. ``twice`` are steps after which it has counted the recording twice,
    ``stays`` those after which something of the lost job stays there: the vendor offers nothing to find it by.
    """

    name: str
    submission: str
    engine_type: str = ""
    arguments: tuple[str, ...] = ()
    settings: Callable[[StandIn], Mapping[str, Any]] = lambda server: {"address": server.url}
    secrets: Callable[[StandIn], Mapping[str, str]] = lambda server: {"api_key": KEY}
    file: str = ""
    deletion: str = ""
    left: Callable[[StandIn], set[str]] = lambda server: set()
    has_jobs: bool = True
    requests: int = 1
    twice: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    be: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> list[str]:
        """Those that there are."""
        missing = () if self.file else HANDOVER
        missing += () if self.deletion else DELETIONS
        if not self.has_jobs:
            missing += (*CLEAN_UPS, "before the handle is stored", "before a check")
        return [step for step in STEPS if step not in missing]

    def trap(self, step: str) -> tuple[str, str, str]:
        """Point, side and request of a step."""
        point, when = STEPS[step]
        request = {"file": self.file, "submission": self.submission, "deletion": self.deletion}.get(point, "")
        return ("request" if request else point), when, request

    def counted(self, server: StandIn) -> int:
        """How often a recording was taken so far."""
        method, path = self.submission.split()
        journal = server.control("GET", "/_emu/journal")["entries"]
        entries = [entry for entry in journal if entry["method"] == method and entry["path"].startswith(path)]
        # One and the same job, given twice, is counted once.
        return len({entry.get("job") or number for number, entry in enumerate(entries)})


def _of_jobs(*names: str) -> Callable[[StandIn], set[str]]:
    def left(server: StandIn) -> set[str]:
        told = server.control("GET", "/_emu/jobs")
        return {
            f"{name}: {each['id'] if isinstance(each, dict) else each}" for name in names for each in told.get(name, [])
        }

    return left


def _key(server: StandIn) -> Mapping[str, str]:
    return {"credentials": Path(server.said["key_file"]).read_text()}


def _google(version: str, model: str, bucket: str = BUCKET) -> Callable[[StandIn], Mapping[str, Any]]:
    return lambda server: {
        "endpoint": server.url,
        "storage_endpoint": server.url,
        "bucket": bucket,
        "api_version": version,
        "model": model,
    }


def _azure(server: StandIn) -> Mapping[str, Any]:
    place = {"endpoint": server.url, "storage_endpoint": f"{server.url}/devstoreaccount1"}
    return {
        "method": "batch",
        "storage_account": "devstoreaccount1",
        "storage_container": BUCKET,
        **place,
    }


def _tasks(server: StandIn) -> set[str]:
    """The guide of the offline-task API knows no deletion: what is archived is done with."""
    tasks = server.control("GET", "/_emu/tasks")["tasks"]
    return {f"task: {task['id']}" for task in tasks if not task["archive"]}


def _native(server: Any) -> set[str]:
    return {f"job: {job['id']}" for job in server.call("GET", "/v2/transcriptions?limit=200").json["items"]}


ALL = [
    # The reference server is the one of the pipeline.
    Killed(
        name="native_v2",
        submission="POST /v2/transcriptions",
        settings=lambda server: {"server_address": server.url},
        secrets=lambda server: {"token": TOKEN},
        left=_native,
    ),
    Killed(
        name="miaop",
        arguments=("--password", PASSWORD),
        submission="POST /hrec",
        settings=lambda server: {
            "identity_address": server.url,
            "api_address": server.url,
            "realm": REALM,
            "username": USER,
        },
        secrets=lambda server: {"password": PASSWORD},
        left=_tasks,
    ),
    Killed(
        name="speechmatics",
        arguments=("--key", KEY),
        submission="POST /v2/jobs",
        left=_of_jobs("jobs"),
    ),
    Killed(
        name="assemblyai",
        arguments=("--key", KEY),
        submission="POST /v2/transcript",
        file="POST /v2/upload",
        left=_of_jobs("jobs"),
        be={"stt_s": 0},
        twice=LOST,
        stays=LOST,
    ),
    Killed(
        name="google",
        arguments=("--bucket", BUCKET),
        submission="POST /v2/projects/",
        settings=_google("v2", "long"),
        secrets=_key,
        file="POST /upload/storage/",
        deletion="DELETE /v2/projects/",
        left=_of_jobs("jobs", "objects"),
        be={"stt_s": 0},
        twice=LOST,
        stays=LOST,
    ),
    Killed(
        name="azure",
        arguments=("--key", KEY, "--storage-key", STORAGE_KEY, "--container", BUCKET),
        submission="POST /speechtotext/transcriptions:submit",
        settings=_azure,
        secrets=lambda server: {"api_key": KEY, "storage_key": STORAGE_KEY},
        file="PUT /devstoreaccount1/",
        deletion="DELETE /devstoreaccount1/",
        left=_of_jobs("jobs", "blobs"),
    ),
    Killed(
        name="deepgram",
        arguments=("--key", KEY),
        submission="POST /v1/listen",
        has_jobs=False,
        twice=UNSTORED,
    ),
    Killed(
        name="openai",
        arguments=("--key", KEY),
        submission="POST /v1/audio/transcriptions",
        settings=lambda server: {"base_url": f"{server.url}/v1"},
        requests=2,
        has_jobs=False,
        twice=UNSTORED,
    ),
    Killed(
        name="azure_fast",
        engine_type="azure",
        arguments=("--key", KEY),
        submission="POST /speechtotext/transcriptions:transcribe",
        settings=lambda server: {"endpoint": server.url},
        has_jobs=False,
        twice=UNSTORED,
    ),
    Killed(
        name="google_pieces",
        engine_type="google",
        arguments=(),
        submission="POST /v1p1beta1/speech:recognize",
        settings=_google("v1p1beta1", "phone_call", bucket=""),
        secrets=_key,
        left=_of_jobs("jobs", "objects"),
        requests=2,
        has_jobs=False,
        twice=UNSTORED,
    ),
]

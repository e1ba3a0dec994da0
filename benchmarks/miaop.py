"""Offline tasks at a real web server: memory of a long upload, many submissions at once, and what a request takes."""

import json
import os
import shutil
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Sum

from benchmarks.realms import ADDRESS, BODY, FORM, make_realm
from benchmarks.registry import Figures, goal, scaled
from benchmarks.servers import child, rss_mb_of, tree
from benchmarks.turns import in_turns
from conversations.models import Call, Recording
from miaop.models import Meeting, Task
from stack.ports import first_free
from tenants.doors import enter
from tenants.models import Tenant

# Two files of 1 GB, because that is what one file may have.
FILES, FILE_BYTES = 2, 1_000_000_000
PIECE = 1_000_000
SUBMISSIONS, REQUESTS = 50, 200
GROWTH_MB, P95_MS = 64, 500
WORKERS = 2
PORTS_FROM = 18_400
BOUNDARY = "of-the-benchmark"
# What the upload needs for a while: the files received, and encrypted twice (temporary file, store).
ROOM = 3.5
LIMIT_S = 1800


def miaop(scale: float) -> Figures:
    """RSS in MB of the web processes while 2 GB come in; tasks of 50 submissions at once; ms of a request."""
    tenant, port, folder = make_realm(), first_free(PORTS_FROM), Path(settings.MIAOP_INCOMING_DIR).parent
    size = scaled(FILE_BYTES, scale, PIECE)
    _demand_room(folder, FILES * size)
    with _web(port, folder) as pid:
        site = _Site(port)
        small = _lost(site, tenant, scaled(SUBMISSIONS, scale, 4))
        upload = _upload(site, tenant, pid, size)
        requests = _requests(site, scaled(REQUESTS, scale, 10))
    nothing = requests["view that does nothing"]["p95_ms"]
    rows = [
        {"request": name, **values, "p95_of_the_no_op_view": round(values["p95_ms"] / nothing, 1)}
        for name, values in requests.items()
    ]
    return {
        "goals": [
            goal("MB that the web processes grow by in the upload", upload["growth_mb"], at_most=GROWTH_MB),
            goal("submissions lost of those at once", small[0]["lost"], at_most=0),
            goal("ms of a token by password, p95", requests["token by password"]["p95_ms"], at_most=P95_MS),
            goal("ms of a task, p95", requests["task"]["p95_ms"], at_most=P95_MS),
        ],
        "upload": upload,
        "submissions": small,
        "requests": rows,
        "load_of_the_machine": [round(load, 1) for load in os.getloadavg()],
    }


class _Site:
    """The web server as one signed-in client sees it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.token = ""
        self.sign_in()

    def sign_in(self) -> int:
        status, body = self.call("POST", ADDRESS, BODY, {"Content-Type": FORM})
        self.token = body["access_token"]
        return status

    def call(self, method: str, path: str, body: Any = None, headers: Any = None) -> tuple[int, Any]:
        """One request on a connection of its own, as a script makes it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def read(self, path: str) -> int:
        return self.call("GET", path, None, self.bearer)[0]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def submit(self, files: Sequence[Iterable[bytes]], size: int) -> str:
        """The id of a task whose files of ``size`` bytes are made while they are sent."""
        length = sum(len(piece) for piece in _body([[] for _file in files])) + len(files) * size
        head = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Length": str(length)}
        status, said = self.call("POST", "/hrec", _body(files), head | self.bearer)
        if status != 200:
            raise RuntimeError(f"the submission was refused: {said}")
        return str(said["taskId"])


def _body(files: Sequence[Iterable[bytes]]) -> Iterator[bytes]:
    names = [f"{number}.wav" for number, _file in enumerate(files)]
    task = {
        "taskType": "offline",
        "baseLanguages": ["English"],
        "meetings": [{"files": [{"file": name, "baseLanguage": "English"}]} for name in names],
    }
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="task"\r\n\r\n{json.dumps(task)}'.encode()
    for name, file in zip(names, files, strict=True):
        disposition = f'form-data; name="soundBlob"; filename="{name}"'
        yield f"\r\n--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        yield from file
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def _wav(size: int, pitch: int) -> Iterator[bytes]:
    """A WAV file of 48 kHz and two channels with a tone, so long that it has ``size`` bytes."""
    rate, channels, width = 48_000, 2, 2
    data, frame = size - 44, channels * width
    head = struct.pack("<4sI8sI", b"RIFF", size - 8, b"WAVEfmt ", 16)
    head += struct.pack("<HHIIHH4sI", 1, channels, rate, rate * frame, frame, 8 * width, b"data", data)
    moment = np.arange(PIECE // frame) / rate
    tone = (8000 * np.sin(2 * np.pi * pitch * moment)).astype("<i2")
    piece = np.repeat(tone, channels).tobytes()
    yield head
    for start in range(0, data, PIECE):
        yield piece[: min(PIECE, data - start)]


def _upload(site: _Site, tenant: Tenant, pid: int, size: int) -> Figures:
    """What the web processes grow by at most while the files come in and are judged and encrypted."""
    processes = tree(pid)
    idle = rss_mb_of(processes)
    started = time.perf_counter()
    with _watching(pid, processes) as peaks:
        task_id = site.submit([_wav(size, 400 + number) for number in range(FILES)], size)
    seconds = time.perf_counter() - started
    with enter(tenant):
        calls = Meeting.objects.filter(task__task_id=task_id).values_list("call_id", flat=True)
        kept = Recording.objects.filter(call_id__in=list(calls))
        decoded = kept.filter(duration_ms__gt=0).count()
        stored = kept.aggregate(total=Sum("bytes_plain"))["total"]
    return {
        "mb_sent": FILES * size / 1e6,
        "seconds": round(seconds, 1),
        "web_processes": len(processes),
        "idle_mb": round(idle, 1),
        "peak_mb": round(peaks[0], 1),
        "growth_mb": round(peaks[0] - idle, 1),
        "peak_of_decoding_children_mb": round(peaks[1], 1),
        "files_decoded": decoded,
        "mb_stored": round(stored / 1e6, 1),
    }


@contextmanager
def _watching(pid: int, processes: Sequence[int]) -> Iterator[list[float]]:
    """The most memory in the block, in MB, ten times a second: of the web processes, and of the children they start."""
    peaks, over = [0.0, 0.0], threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            peaks[0] = max(peaks[0], rss_mb_of(processes))
            peaks[1] = max(peaks[1], rss_mb_of(set(tree(pid)) - set(processes)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _lost(site: _Site, tenant: Tenant, number: int) -> list[Figures]:
    """So many submissions at once, and as many one after the other as their peer."""
    size = 96_044

    def send(pitch: int) -> str:
        return site.submit([_wav(size, pitch)], size)

    # The first decoding and the first pages of a process are nobody's growth.
    for warm in range(2 * WORKERS):
        send(100 + warm)
    rows = []
    for name, threads in (("at once", number), ("one after the other", 1)):
        before, started = _counted(tenant), time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            ids = list(pool.map(send, range(1000 * threads, 1000 * threads + number)))
        seconds = time.perf_counter() - started
        tasks, *others = (after - there for after, there in zip(_counted(tenant), before, strict=True))
        with enter(tenant):
            found = Task.objects.filter(task_id__in=ids).count()
        row = {"submissions": name, "sent": number, "lost": number - min(found, *others), "tasks": tasks}
        names = ("meetings", "conversations", "recordings")
        rows.append(row | dict(zip(names, others, strict=True)) | {"seconds": round(seconds, 1)})
    return rows


def _counted(tenant: Tenant) -> list[int]:
    with enter(tenant):
        return [model.objects.count() for model in (Task, Meeting, Call, Recording)]


def _requests(site: _Site, number: int) -> dict[str, dict[str, float]]:
    task_id = site.submit([_wav(PIECE, 300)], PIECE)
    calls = {
        "token by password": site.sign_in,
        "task": lambda: site.read(f"/api/tasks/{task_id}"),
        "view that does nothing": lambda: site.read("/healthz"),
    }
    return in_turns(calls, number)


@contextmanager
def _web(port: int, folder: Path) -> Iterator[int]:
    """The web server as the stack starts it; the id of its first process."""
    command = ["-m", "gunicorn", "config.wsgi:application", "-k", "gthread", "--workers", str(WORKERS)]
    command += ["--threads", "8", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    extra = {
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "TMPDIR": str(folder),
        "PARLANCE_MIAOP_REQUESTS_A_MINUTE": "1000000",
        "PARLANCE_MIAOP_SUBMISSIONS_A_MINUTE": "1000000",
    }
    with child(command, folder / "web.log", extra) as web:
        deadline = time.monotonic() + 120
        while not _answers(port):
            if time.monotonic() > deadline or web.poll() is not None:
                raise RuntimeError(f"the web server does not answer:\n{(folder / 'web.log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield web.pid


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _demand_room(folder: Path, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = ROOM * size, shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"{folder} has {free / 1e9:.1f} GB free; this needs {needed / 1e9:.1f} GB: take a --scale")

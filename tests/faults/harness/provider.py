"""A fake provider: a process that speaks our native Speech API v2, misbehaves on demand and keeps a journal.

``python -m tests.faults.harness.provider FILE`` listens on a free port of loopback and writes it to FILE. Control, on the
same port: ``GET /_emu/journal``, ``GET|DELETE /_emu/live``, ``GET|POST|DELETE /_emu/faults``, ``POST /_emu/hold``. It keeps the contract of
``speechserver``: a repeated idempotency key gets the job it made, as long as that was not deleted.

A fault is ``{"on": submit|poll|fetch|delete, "kind": …, "times": n}`` and what the kind needs (see ``MISDEEDS``).
"""

import asyncio
import itertools
import re
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

CHECKS = 2
SECONDS = 300
_REF = re.compile(rb'"ref": ?"([^"]{1,100})"')


@dataclass
class Job:
    """One accepted upload; ``told`` is the last status that was given out."""

    id: str
    key: str
    ref: str
    checks: int = 0
    told: str = "queued"


@dataclass
class Reply:
    """What goes out, unless a misdeed does something else with it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def _json(data: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, orjson.dumps(data), {name.replace("_", "-"): value for name, value in headers.items()})


def transcript(job: str, text: str = "thank you for calling") -> dict[str, Any]:
    """A result as the contract wants it."""
    words = [
        {"text": word, "startMs": n * 300, "endMs": n * 300 + 250, "confidence": 0.9}
        for n, word in enumerate(text.split())
    ]
    turn = {"channel": 0, "speaker": "S1", "startMs": 0, "endMs": len(words) * 300, "text": text, "words": words}
    segments = [turn] if words else []
    return {"id": job, "language": "en-US", "durationMs": SECONDS * 1000, "model": "fake", "segments": segments}


class Provider:
    """Jobs, journal and faults of one process."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.by_key: dict[str, str] = {}
        self.faults: list[dict[str, Any]] = []
        self.journal: list[dict[str, Any]] = []
        self.held = False
        self._numbers = itertools.count(1)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request of either kind."""
        if request.path.startswith("/_emu/"):
            return await self._control(request)
        body = await request.read()
        what, job = self._what(request)
        fault = self._fault_for(what)
        entry = {"at": time.time(), "what": what, "job": job and job.id, "ref": job and job.ref}
        entry["fault"] = fault and fault["kind"]
        self.journal.append(entry)
        if fault is not None:
            return await MISDEEDS[fault["kind"]](Case(self, request, body, what, job, fault, entry))
        return _response(self.answer(request, body, what, job, entry))

    def answer(self, request: web.BaseRequest, body: bytes, what: str, job: Job | None, entry: dict[str, Any]) -> Reply:
        """What an honest server says."""
        if what == "submit":
            return self._submit(request.headers.get("Idempotency-Key", ""), body, entry)
        if what == "list":
            jobs = [{"id": job.id, "config": {"metadata": {"ref": job.ref}}} for job in self.jobs.values()]
            return _json({"items": jobs, "nextCursor": None})
        if what == "delete":
            self._forget(job)
            return Reply(204, b"")
        if job is None:
            return _json({"code": "not_found"}, 404)
        if what == "fetch":
            return _json(transcript(job.id))
        job.checks += 1
        job.told = "completed" if job.checks >= CHECKS and not self.held else "processing"
        return _json({"id": job.id, "status": job.told}, Retry_After="1")

    def _submit(self, key: str, body: bytes, entry: dict[str, Any]) -> Reply:
        known = self.by_key.get(key)
        entry["new"] = known is None
        if known is None:
            found = _REF.search(body)
            known = f"tr_{next(self._numbers)}"
            self.jobs[known] = Job(known, key, found[1].decode() if found else "")
            self.by_key[key] = known
        entry.update(job=known, ref=self.jobs[known].ref)
        return _json({"id": known, "status": "queued"}, 202, Retry_After="1")

    def _forget(self, job: Job | None) -> None:
        if job is not None and self.jobs.pop(job.id, None) is not None:
            self.by_key.pop(job.key, None)

    def _what(self, request: web.BaseRequest) -> tuple[str, Job | None]:
        identity, _, rest = request.path.removeprefix("/v2/transcriptions").removeprefix("/").partition("/")
        job = self.jobs.get(identity)
        if request.method == "POST":
            return "submit", None
        if request.method == "DELETE":
            return "delete", job
        if not identity:
            return "list", None
        return ("fetch" if rest == "result" else "poll"), job

    def _fault_for(self, what: str) -> dict[str, Any] | None:
        for fault in self.faults:
            if fault["on"] in (what, "all"):
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    async def _control(self, request: web.BaseRequest) -> web.Response:
        what = request.path.removeprefix("/_emu/")
        if what == "journal":
            since = int(request.query.get("since", "0"))
            return web.json_response({"entries": self.journal[since:], "length": len(self.journal)})
        if what == "live" and request.method == "DELETE":
            self.jobs.clear()
            self.by_key.clear()
        if what == "live":
            return web.json_response({"jobs": {job.id: job.ref for job in self.jobs.values()}})
        if request.method == "GET":
            return web.json_response({"faults": len(self.faults)})
        data = await request.json() if request.can_read_body else None
        if what == "hold":
            self.held = bool(data["hold"])
        elif request.method == "DELETE":
            self.faults.clear()
        else:
            unknown = [fault["kind"] for fault in data if fault["kind"] not in MISDEEDS]
            if unknown:
                return web.json_response({"detail": f"no such misdeed: {unknown[0]}"}, status=400)
            self.faults += data
        return web.json_response({"faults": len(self.faults)})


@dataclass
class Case:
    """One request that meets a fault."""

    provider: Provider
    request: web.BaseRequest
    body: bytes
    what: str
    job: Job | None
    fault: dict[str, Any]
    entry: dict[str, Any]

    def honest(self) -> Reply:
        """Do what was asked and return the answer."""
        return self.provider.answer(self.request, self.body, self.what, self.job, self.entry)


def _response(reply: Reply) -> web.Response:
    return web.Response(body=reply.body, status=reply.status, headers=reply.headers, content_type=reply.content_type)


async def _status(case: Case) -> web.StreamResponse:
    """Answers ``status`` with ``body`` and ``headers``; the request has no effect."""
    fault = case.fault
    kind = fault.get("content_type", "application/json")
    return _response(Reply(fault["status"], fault.get("body", "").encode(), fault.get("headers", {}), kind))


async def _late(case: Case) -> web.StreamResponse:
    """Has its effect at once and says so after ``seconds``."""
    reply = case.honest()
    await asyncio.sleep(case.fault["seconds"])
    return _response(reply)


async def _lost(case: Case) -> web.StreamResponse:
    """Has its effect; the reply never arrives."""
    reply = case.honest()
    if case.request.transport is not None:
        case.request.transport.abort()
    return _response(reply)


async def _truncated(case: Case) -> web.StreamResponse:
    """Half the JSON, as if that were all."""
    reply = case.honest()
    reply.body = reply.body[: len(reply.body) // 2]
    return _response(reply)


async def _garbage(case: Case) -> web.StreamResponse:
    """Success, with a body that is not JSON."""
    reply = case.honest()
    reply.body = b"\x00\xff<<<" * 40
    return _response(reply)


async def _loris(case: Case) -> web.StreamResponse:
    """One byte a second for as long as anybody listens."""
    reply = case.honest()
    slow = web.StreamResponse(status=reply.status, headers={"Content-Length": str(len(reply.body) or 1)})
    await slow.prepare(case.request)
    for byte in reply.body:
        await slow.write(bytes([byte]))
        await asyncio.sleep(1)
    return slow


async def _hint(case: Case) -> web.StreamResponse:
    """The honest answer with ``retry_after`` as its hint, however absurd."""
    reply = case.honest()
    reply.headers["Retry-After"] = case.fault["retry_after"]
    return _response(reply)


async def _backwards(case: Case) -> web.StreamResponse:
    """Says that it is done and takes that back at the fetch; the job begins anew."""
    if case.job is not None and case.what == "poll":
        case.job.checks = 0
        return _response(_json({"id": case.job.id, "status": "queued"}, Retry_After="1"))
    return _response(_json({"code": "not_ready", "detail": "Not finished."}, 409, Retry_After="1"))


async def _empty(case: Case) -> web.StreamResponse:
    """Done, with no text at all."""
    reply = case.honest()
    if case.what == "fetch" and case.job is not None:
        reply.body = orjson.dumps(transcript(case.job.id, ""))
    return _response(reply)


async def _error_200(case: Case) -> web.StreamResponse:
    """Success, with an error inside."""
    case.honest()
    return _response(_json({"error": {"code": "internal", "message": "oops"}}, 202 if case.what == "submit" else 200))


async def _other(case: Case) -> web.StreamResponse:
    """The answer to a question about another job."""
    reply = case.honest()
    if case.what == "fetch":
        reply.body = orjson.dumps(transcript("tr_0"))
    elif case.what == "poll":
        reply.body = orjson.dumps({"id": "tr_0", "status": "completed"})
    return _response(reply)


async def _changed(case: Case) -> web.StreamResponse:
    """Another text than last time."""
    reply = case.honest()
    if case.what == "fetch" and case.job is not None:
        reply.body = orjson.dumps(transcript(case.job.id, f"another text {time.monotonic_ns()}"))
    return _response(reply)


async def _vanish(case: Case) -> web.StreamResponse:
    """The job is gone, as after a crash of the provider."""
    case.provider._forget(case.job)
    return _response(_json({"code": "not_found"}, 404))


MISDEEDS: dict[str, Callable[[Case], Awaitable[web.StreamResponse]]] = {
    "status": _status,
    "late": _late,
    "lost": _lost,
    "truncated": _truncated,
    "garbage": _garbage,
    "loris": _loris,
    "hint": _hint,
    "backwards": _backwards,
    "empty": _empty,
    "error in success": _error_200,
    "other job": _other,
    "changed text": _changed,
    "vanish": _vanish,
}


async def serve(port_file: Path) -> None:
    """Until the process is killed."""
    runner = web.ServerRunner(web.Server(Provider().handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port_file.with_suffix(".new").write_text(str(runner.addresses[0][1]))
    port_file.with_suffix(".new").rename(port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))

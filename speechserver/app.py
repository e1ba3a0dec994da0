"""The HTTP face of the contract: routes, authorisation, journal, errors."""

import asyncio
import errno
import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ClientError, web
from aiohttp.typedefs import Handler

from speechserver import API_VERSION, VERSION
from speechserver.audio import FORMATS, sniff
from speechserver.faults import FaultQueue, faked, mangle
from speechserver.formats import as_srt, as_text, as_vtt
from speechserver.journal import Journal, now_text
from speechserver.pool import OrderRefused, Pool, WorkerCrashed
from speechserver.problems import Problem, invalid
from speechserver.recognisers.base import Profile
from speechserver.runner import Runner
from speechserver.store import STATUSES, Job, Store
from speechserver.upload import Upload, idempotency_key, receive

logger = logging.getLogger("speechserver")

RETRY_SECONDS = 2
BUSY_SECONDS = 10
PROBE_SECONDS = 20.0
MAX_PAGE = 200
DEFAULT_PAGE = 50
CLIENT_GONE = 499
_ID = re.compile(r"^tr_[0-9A-HJKMNP-TV-Z]{26}$")
_TEXT_FORMATS = {
    "text": (as_text, "text/plain"),
    "srt": (as_srt, "application/x-subrip"),
    "vtt": (as_vtt, "text/vtt"),
}


@dataclass(frozen=True)
class Limits:
    """What one server accepts: bytes and milliseconds of one upload, jobs waiting at once."""

    max_bytes: int
    max_duration_ms: int
    max_queued: int


@dataclass(frozen=True)
class Tokens:
    """Accepted bearer tokens as SHA-256 digests; empty means an open server (loopback only)."""

    digests: tuple[bytes, ...]

    def accept(self, header: str | None) -> bool:
        """Whether an Authorization header is good; takes the same time for every wrong token."""
        if not self.digests:
            return True
        scheme, _, token = (header or "").partition(" ")
        given = hashlib.sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(given, digest) for digest in self.digests]
        return scheme.lower() == "bearer" and any(matches)


class SpeechApi:
    """Handlers of the contract over one store, one line of jobs and one pool for looking at uploads."""

    def __init__(
        self,
        *,
        store: Store,
        runner: Runner,
        pool: Pool,
        probes: Pool,
        profile: Profile,
        limits: Limits,
        tokens: Tokens,
        journal: Journal,
        faults: FaultQueue,
    ) -> None:
        self._store = store
        self._runner = runner
        self._pool = pool
        self._probes = probes
        self._profile = profile
        self._limits = limits
        self._tokens = tokens
        self._journal = journal
        self._faults = faults
        # Requests that are being answered; each line of the journal says how many there were, with its own.
        self._in_flight = 0

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[self._outer])
        app.router.add_get("/v2/health", self._health)
        app.router.add_get("/v2/info", self._info)
        app.router.add_post("/v2/transcriptions", self._create)
        app.router.add_get("/v2/transcriptions", self._list)
        app.router.add_get("/v2/transcriptions/{id}", self._read)
        app.router.add_delete("/v2/transcriptions/{id}", self._delete)
        app.router.add_get("/v2/transcriptions/{id}/result", self._result)
        return app

    @web.middleware
    async def _outer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Journal, faults and errors around every request; the journal line is written before the reply leaves."""
        self._in_flight += 1
        try:
            return await self._journalled(request, handler)
        finally:
            self._in_flight -= 1

    async def _journalled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request["id"] = "req_" + secrets.token_hex(8)
        entry: dict[str, Any] = {
            "at": now_text(),
            "method": request.method,
            "path": request.path,
            "status": None,
            "requestId": request["id"],
            "inFlight": self._in_flight,
            "job": request.match_info.get("id"),
            "key": request.headers.get("Idempotency-Key", "")[:200] or None,
            "ref": None,
            "sha256": None,
        }
        request["entry"] = entry
        fault = self._faults.take(request)
        if fault is not None:
            entry["fault"] = True
            await asyncio.sleep(fault.delay_ms / 1000)
        response = (faked(fault) if fault is not None else None) or await self._answer(request, handler)
        entry["status"] = response.status
        self._journal.write(entry)
        response.headers["X-Request-Id"] = request["id"]
        return response if fault is None else await mangle(request, response, fault)

    async def _answer(self, request: web.Request, handler: Handler) -> web.Response:
        try:
            if request.path != "/v2/health" and not self._tokens.accept(request.headers.get("Authorization")):
                raise Problem("unauthorized", "A valid bearer token is required.")
            response = await handler(request)
            assert isinstance(response, web.Response)
            return response
        except Problem as problem:
            return problem.response(request["id"])
        except web.HTTPNotFound:
            return Problem("not_found", "There is no such resource.").response(request["id"])
        except web.HTTPException as error:
            status = error.status if 400 <= error.status < 500 else 400
            reply = Problem("invalid_request", error.reason, status=status).response(request["id"])
            if "Allow" in error.headers:
                reply.headers["Allow"] = error.headers["Allow"]
            return reply
        except (ConnectionError, ClientError, web.RequestPayloadError):
            return web.Response(status=CLIENT_GONE)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                logger.exception("request %s failed", request["id"])
                return Problem("internal", "Unexpected error.").response(request["id"])
            return Problem("busy", "The server has no space left.", retry_after=60).response(request["id"])
        except Exception:
            logger.exception("request %s failed", request["id"])
            return Problem("internal", "Unexpected error.").response(request["id"])

    async def _health(self, request: web.Request) -> web.Response:
        if self._pool.crashes > 5:
            raise Problem("busy", "The recogniser does not start.", retry_after=BUSY_SECONDS)
        return _json({"status": "ok"})

    async def _info(self, request: web.Request) -> web.Response:
        profile = self._profile
        languages = list(profile.languages)
        return _json(
            {
                "name": f"speechserver ({profile.name})",
                "version": VERSION,
                "api": API_VERSION,
                "label": profile.label,
                "languages": languages,
                "models": [{"id": profile.model, "languages": languages, "default": True}],
                "features": {
                    "punctuate": True,
                    "diarize": False,
                    "separateChannels": True,
                    "words": True,
                    "languageDetection": False,
                    "webhook": False,
                    "confidence": profile.confidence,
                },
                "limits": {
                    "maxBytes": self._limits.max_bytes,
                    "maxDurationMs": self._limits.max_duration_ms,
                    "formats": list(FORMATS),
                },
            }
        )

    async def _create(self, request: web.Request) -> web.Response:
        key = idempotency_key(request)
        known = key is not None and self._store.by_key(key) is not None
        if not known and self._runner.backlog >= self._limits.max_queued:
            raise Problem("busy", "Too many jobs are waiting.", retry_after=BUSY_SECONDS)
        path = self._store.incoming_path()
        try:
            upload = await receive(request, path, self._limits.max_bytes)
            request["entry"].update(ref=upload.config.ref, sha256=upload.sha256)
            accepted = self._repeated(key, upload)
            if accepted is None:
                audio = await self._look(upload)
                # Another request with the same key may have come in while this one was looked at; from here to
                # create() nothing is awaited, so only one of them makes a job.
                accepted = self._repeated(key, upload)
            if accepted is None:
                job = self._store.create(
                    upload=path,
                    audio=audio,
                    config=upload.config.model_dump(),
                    key=key,
                    fingerprint=upload.fingerprint,
                    eta_seconds=self._runner.eta_seconds(audio),
                )
                accepted = job.accepted
                await self._runner.add(job.id)
        finally:
            path.unlink(missing_ok=True)
        request["entry"]["job"] = accepted["id"]
        headers = {"Location": accepted["links"]["self"], "Retry-After": str(RETRY_SECONDS)}
        return _json(accepted, status=202, headers=headers)

    def _repeated(self, key: str | None, upload: Upload) -> dict[str, Any] | None:
        """The original 202 body when this key was used before with the same content; 409 when with other content."""
        job = self._store.by_key(key) if key is not None else None
        if job is None:
            return None
        if job.fingerprint != upload.fingerprint:
            raise Problem("idempotency_conflict", "This Idempotency-Key was used with other audio or another config.")
        return job.accepted

    async def _look(self, upload: Upload) -> dict[str, Any]:
        """What a job says of its audio; ``durationMs`` is the container's claim until the audio has been decoded."""
        with upload.path.open("rb") as file:
            head = file.read(16)
        if sniff(head) is None:
            raise Problem("unsupported_media_type", f"Not a supported audio file; supported: {', '.join(FORMATS)}.")
        try:
            found = await self._probes.run({"op": "probe", "path": str(upload.path)}, seconds=PROBE_SECONDS)
        except OrderRefused as error:
            raise Problem("unprocessable_audio", error.message) from None
        except WorkerCrashed:
            raise Problem("unprocessable_audio", "The audio could not be read.") from None
        return {
            "bytes": upload.size,
            "sha256": upload.sha256,
            "durationMs": found["duration_ms"],
            "sampleRate": found["sample_rate"],
            "channels": found["channels"],
            "format": found["format"],
            "codec": found["codec"],
        }

    def _job(self, request: web.Request) -> Job:
        job_id = request.match_info["id"]
        job = self._store.get(job_id) if _ID.match(job_id) else None
        if job is None:
            raise Problem("not_found", "There is no such transcription.")
        return job

    def _wait_headers(self, job: Job) -> dict[str, str]:
        return {"Retry-After": str(min(30, max(1, self._runner.eta_seconds(job.audio) // 2)))}

    async def _read(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.terminal:
            return _json(job.public())
        return _json(job.public(self._runner.eta_seconds(job.audio)), headers=self._wait_headers(job))

    async def _result(self, request: web.Request) -> web.Response:
        job = self._job(request)
        wanted = request.query.get("format", "json")
        if wanted != "json" and wanted not in _TEXT_FORMATS:
            raise invalid("format", "must be json, text, srt or vtt")
        if not job.terminal:
            retry = int(self._wait_headers(job)["Retry-After"])
            raise Problem("not_ready", "The transcription is not finished.", retry_after=retry)
        if job.status != "completed":
            raise Problem("transcription_failed", "The transcription failed.", extra={"error": job.error})
        result = self._store.result(job.id)
        if wanted == "json":
            return _json(result)
        write, content_type = _TEXT_FORMATS[wanted]
        return web.Response(text=write(result), content_type=content_type, charset="utf-8")

    async def _delete(self, request: web.Request) -> web.Response:
        self._runner.remove(request.match_info["id"])
        return web.Response(status=204)

    async def _list(self, request: web.Request) -> web.Response:
        unknown = sorted(set(request.query) - {"status", "limit", "cursor"})
        if unknown:
            raise invalid(unknown[0][:60], "unknown parameter")
        status, limit, cursor = request.query.get("status"), request.query.get("limit"), request.query.get("cursor")
        if status is not None and status not in STATUSES:
            raise invalid("status", f"must be one of {', '.join(STATUSES)}")
        if limit is not None and not (re.fullmatch(r"[0-9]{1,3}", limit) and 1 <= int(limit) <= MAX_PAGE):
            raise invalid("limit", f"must be a number from 1 to {MAX_PAGE}")
        if cursor is not None and not _ID.match(cursor):
            raise invalid("cursor", "is not a cursor of this server")
        jobs, following = self._store.page(status=status, limit=int(limit or DEFAULT_PAGE), after=cursor)
        return _json({"items": [job.public() for job in jobs], "nextCursor": following})


def _json(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json", headers=headers)

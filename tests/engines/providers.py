"""What the contract suite has to know of each provider: how to reach its server, and what its answers look like."""

import ipaddress
import json
from typing import Any, Protocol

from core.outbound import AllowedTarget, OutboundPolicy
from core.transcripts import TranscriptData
from tests.engines.standing_in import PASSWORD, REALM, USER
from tests.speechserver.conftest import TOKEN
from transcription.engines.base import AudioSource, EngineOptions, Request, SpeechEngine

LANGUAGE = "en-US"


def audio_of(data: bytes) -> AudioSource:
    """Bytes as an upload of two channels."""
    return AudioSource("call.wav", "audio/wav", len(data), 10_000, 2, lambda: iter([data]))


def ask_for(reference: str, language: str = LANGUAGE) -> Request:
    """A request under a reference of its own."""
    return Request(language, reference)


def listed(url: str) -> OutboundPolicy:
    """A policy that lets the address of a test server pass."""
    port = int(url.rsplit(":", 1)[1])
    return OutboundPolicy(frozenset({AllowedTarget(ipaddress.ip_network("127.0.0.1/32"), port)}))


def words_of(transcript: TranscriptData, channel: int) -> list[str]:
    """The words of one channel, plain."""
    words = [word for segment in transcript.segments if segment.channel == channel for word in segment.words]
    return [word.text.lower().strip(".,?!") for word in words]


class Provider(Protocol):
    """The test's side of one engine type, on a running server of the provider."""

    secret: str
    verbs: dict[str, dict[str, str]]
    address: str
    # The id of a job that nobody has.
    unknown: str

    def options(self, **changes: Any) -> EngineOptions:
        """Settings that work, with changes (``address`` and ``secret``)."""

    def jobs(self) -> set[str]:
        """The ids of all remote jobs."""

    def answer(self, verb: str, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        """Let the next request of ``verb`` be answered like this."""

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """Pairs of a verb and a body that must be refused as the answer about ``job``."""

    def fault(self, **values: Any) -> None:
        """One fault, as the control plane knows it."""

    def running(self, job: str) -> Any:
        """What the server says of a job that is not done yet."""

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """What it answers, request by request, when the result of such a job is asked for: verb, status, body."""

    def lift(self) -> None:
        """Take back all faults."""


class ServedProvider:
    """What all have in common: a server whose control plane makes faults."""

    secret: str
    unknown = "tr_1"
    verbs: dict[str, dict[str, str]]

    def __init__(self, kind: type[SpeechEngine], server: Any) -> None:
        self.kind, self.server, self.address = kind, server, server.url

    def lift(self) -> None:
        """By the control plane."""
        self.server.control("DELETE", "/_emu/faults")

    def answer(self, verb: str, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        """By a fault of the control plane."""
        self.fault(match=self.verbs[verb], status=status, body=body, headers=headers or {})

    def fault(self, **values: Any) -> None:
        """One fault, as the control plane knows it."""
        self.server.control("POST", "/_emu/faults", values)

    def running(self, job: str) -> Any:
        """Only types with jobs say it."""
        raise NotImplementedError

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """The status, where the result is part of it."""
        return [("fetch", 200, self.running(job))]


class NativeProvider(ServedProvider):
    """The native Speech API v2 on the reference server."""

    secret = TOKEN
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/v2/transcriptions"},
        "poll": {"method": "GET", "path_prefix": "/v2/transcriptions/"},
        "fetch": {"method": "GET", "path_prefix": "/v2/transcriptions/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/v2/transcriptions/"},
    }

    def options(self, **changes: Any) -> EngineOptions:
        """Server address and token."""
        address, token = changes.get("address", self.server.url), changes.get("secret", TOKEN)
        limit = changes.get("request_timeout_s", 20)
        return self.kind.options_type(server_address=address, token=token, request_timeout_s=limit)

    def running(self, job: str) -> Any:
        """In the words of the contract."""
        return {"id": job, "status": "processing", "progress": 10}

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """A conflict."""
        return [("fetch", 409, {"title": "Not ready", "status": 409, "code": "not_ready"})]

    def jobs(self) -> set[str]:
        """As the server lists them."""
        return {job["id"] for job in self.server.call("GET", "/v2/transcriptions?limit=200").json["items"]}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another job, unknown states, and times and confidences that are none."""

        def result(name: str = job, start: str = "0", end: str = "400", confidence: str = "0.5") -> str:
            word = f'{{"text": "hi", "startMs": {start}, "endMs": {end}, "confidence": {confidence}}}'
            segment = f'{{"channel": 0, "startMs": 0, "endMs": 400, "text": "hi", "words": [{word}]}}'
            return f'{{"id": "{name}", "durationMs": 400, "segments": [{segment}]}}'

        return [
            ("poll", "<html>"),
            ("poll", "[]"),
            ("poll", json.dumps({"id": "tr_somebody_elses", "status": "completed"})),
            ("poll", json.dumps({"id": job, "status": "exploded"})),
            ("fetch", "<html>"),
            ("fetch", "[" * 5000),
            ("fetch", result(name="tr_somebody_elses")),
            ("fetch", result(start="NaN")),
            ("fetch", result(end="Infinity")),
            ("fetch", result(end="1e999")),
            ("fetch", result(start="-1")),
            ("fetch", result(end="9e15")),
            ("fetch", result(confidence="NaN")),
            ("submit", "<html>"),
            ("submit", json.dumps({"id": "../../v2/info", "status": "queued"})),
        ]


class OfflineTaskProvider(ServedProvider):
    """A server of the offline-task API."""

    secret = PASSWORD
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/hrec"},
        "poll": {"method": "GET", "path_prefix": "/api/tasks/"},
        "fetch": {"method": "GET", "path_prefix": "/api/stt/"},
        "cleanup": {"method": "POST", "path_prefix": "/api/tasks/"},
    }

    def options(self, **changes: Any) -> EngineOptions:
        """One listener for identity and API."""
        address = changes.get("address", self.address)
        fields = {name: value for name, value in changes.items() if name not in ("address", "secret")}
        return self.kind.options_type(
            identity_address=address,
            api_address=address,
            realm=REALM,
            username=USER,
            password=changes.get("secret", PASSWORD),
            **{"request_timeout_s": 20, **fields},
        )

    def running(self, job: str) -> Any:
        """In the words of the guide."""
        return {"taskId": job, "taskStatus": "sttProcessing", "sttRemainingTime": 5}

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """The task, then its transcript."""
        problem = {"error": {"code": "TRANSCRIPTION_NOT_READY", "message": "Not ready"}}
        return [("poll", 200, self.running(job)), ("fetch", 404, problem)]

    def jobs(self) -> set[str]:
        """As the control plane lists them."""
        return {task["id"] for task in self.server.control("GET", "/_emu/tasks")["tasks"]}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another task, unknown states, and times and confidences that are none."""

        def result(start: str = "0", length: str = "400", confidence: str = "0.5") -> str:
            word = f'{{"word": "hi", "location": {start}, "duration": {length}, "confidence": {confidence}}}'
            return f'{{"transcription": [{{"id": "S-1", "location": 0, "duration": 400, "words": [{word}]}}]}}'

        return [
            ("poll", "<html>"),
            ("poll", "[]"),
            ("poll", json.dumps({"taskId": "somebody-elses", "taskStatus": "sttDone"})),
            ("poll", json.dumps({"taskId": job, "taskStatus": "exploded"})),
            ("fetch", "<html>"),
            ("fetch", "[" * 5000),
            ("fetch", '{"transcription": {}}'),
            ("fetch", result(start="NaN")),
            ("fetch", result(length="Infinity")),
            ("fetch", result(length="1e999")),
            ("fetch", result(start="-1")),
            ("fetch", result(length="9e15")),
            ("fetch", result(confidence="NaN")),
            ("submit", "<html>"),
            ("submit", json.dumps({"taskId": "../../hrec"})),
        ]

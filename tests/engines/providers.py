"""What the contract suite has to know of each provider: how to reach its server, and what its answers look like."""

import ipaddress
import json
from typing import Any, Protocol

from core.outbound import AllowedTarget, OutboundPolicy
from core.transcripts import TranscriptData
from tests.speechserver.conftest import TOKEN, Server
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

    def options(self, **changes: Any) -> EngineOptions:
        """Settings that work, with changes (``address`` and ``secret``)."""

    def jobs(self) -> set[str]:
        """The ids of all remote jobs."""

    def answer(self, verb: str, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        """Let the next request of ``verb`` be answered like this."""

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """Pairs of a verb and a body that must be refused as the answer about ``job``."""


class NativeProvider:
    """The native Speech API v2 on the reference server."""

    secret = TOKEN
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/v2/transcriptions"},
        "poll": {"method": "GET", "path_prefix": "/v2/transcriptions/"},
        "fetch": {"method": "GET", "path_prefix": "/v2/transcriptions/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/v2/transcriptions/"},
    }

    def __init__(self, kind: type[SpeechEngine], server: Server) -> None:
        self.kind, self.server = kind, server

    def options(self, **changes: Any) -> EngineOptions:
        """Server address and token."""
        address, token = changes.get("address", self.server.url), changes.get("secret", TOKEN)
        return self.kind.options_type(server_address=address, token=token, request_timeout_s=20)

    def jobs(self) -> set[str]:
        """As the server lists them."""
        return {job["id"] for job in self.server.call("GET", "/v2/transcriptions?limit=200").json["items"]}

    def answer(self, verb: str, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        """By a fault of the server's control plane."""
        fault = {"match": self.verbs[verb], "status": status, "body": body, "headers": headers or {}}
        self.server.control("POST", "/_emu/faults", fault)

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


PROVIDERS = {"native_v2": NativeProvider}

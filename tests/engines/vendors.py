"""The vendors in the contract suite, on stand-ins of ours; and the table of all providers."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from core.engines import EngineOptions
from tests.engines.providers import NativeProvider, OfflineTaskProvider, ServedProvider
from tests.engines.standing_in import BUCKET, KEY, STORAGE_KEY

_PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
# A private key that no account has.
STRANGER = _PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class KeyedProvider(ServedProvider):
    """A provider with one address and one key, on a stand-in of ours. Without jobs of its own."""

    secret = KEY
    # The field of the options.
    address_field = "address"

    def lift(self) -> None:
        """Also what was set."""
        super().lift()
        self.server.control("DELETE", "/_emu/settings")

    def options(self, **changes: Any) -> EngineOptions:
        """As it comes, with the address of the stand-in."""
        fields = {name: value for name, value in changes.items() if name not in ("address", "secret")}
        common = {"api_key": changes.get("secret", KEY), "request_timeout_s": 20}
        place = {self.address_field: changes.get("address", self.address)}
        return self.kind.options_type(**{**common, **place, **fields})

    def jobs(self) -> set[str]:
        """There are none."""
        return set()


class OpenAIProvider(KeyedProvider):
    """OpenAI's API."""

    verbs = {"submit": {"method": "POST", "path_prefix": "/v1/audio/transcriptions"}}

    address_field = "base_url"

    def options(self, **changes: Any) -> EngineOptions:
        """The model that gives the time of each word."""
        address = f"{changes.pop('address', self.address)}/v1"
        return super().options(**{"model": "whisper-1", "address": address, **changes})

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, no text, and times that are none."""

        def result(start: str = "0", end: str = "0.4") -> str:
            word = f'{{"word": "hi", "start": {start}, "end": {end}}}'
            segment = f'{{"start": {start}, "end": {end}, "text": "hi"}}'
            return f'{{"text": "hi", "segments": [{segment}], "words": [{word}]}}'

        bodies = ["<html>", "[]", '{"text": null}', '{"text": "hi", "segments": {}}']
        bodies += [result(start="NaN"), result(end="1e999"), result(start="-1"), result(end="9e15")]
        return [("submit", body) for body in bodies]


class DeepgramProvider(KeyedProvider):
    """Deepgram."""

    verbs = {"submit": {"method": "POST", "path_prefix": "/v1/listen"}}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, no turns, and times, channels and confidences that are none."""

        def result(start: str = "0", end: str = "0.4", confidence: str = "0.5", channel: str = "0") -> str:
            word = f'{{"word": "hi", "start": {start}, "end": {end}, "confidence": {confidence}}}'
            turn = f'{{"start": 0, "end": 0.4, "channel": {channel}, "transcript": "hi", "words": [{word}]}}'
            return f'{{"results": {{"utterances": [{turn}]}}}}'

        bodies = ["<html>", "[]", '{"results": {}}', '{"results": {"utterances": null}}', "[" * 5000]
        bodies += [result(start="NaN"), result(end="1e999"), result(start="-1"), result(end="9e15")]
        bodies += [result(confidence="NaN"), result(confidence="1.5"), result(channel="-1"), result(channel="9")]
        return [("submit", body) for body in bodies]


class AssemblyAIProvider(KeyedProvider):
    """AssemblyAI; it has jobs."""

    verbs = {
        "submit": {"method": "POST", "path_prefix": "/v2/transcript"},
        "poll": {"method": "GET", "path_prefix": "/v2/transcript/"},
        "fetch": {"method": "GET", "path_prefix": "/v2/transcript/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/v2/transcript/"},
    }

    def running(self, job: str) -> Any:
        """A status."""
        return {"id": job, "status": "processing"}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another job, unknown states, and times, channels and confidences that are none."""

        def result(start: str = "0", end: str = "400", confidence: str = "0.5", channel: str = '"1"') -> str:
            word = f'{{"text": "hi", "start": {start}, "end": {end}, "confidence": {confidence}}}'
            turn = f'{{"start": 0, "end": 400, "text": "hi", "channel": {channel}, "words": [{word}]}}'
            return f'{{"id": "{job}", "status": "completed", "utterances": [{turn}]}}'

        bodies = ["<html>", "[]", "[" * 5000, result(start="NaN"), result(end="1e999"), result(start="-1")]
        bodies += [result(end="9e15"), result(confidence="NaN"), result(channel='"9"'), result(channel='"x"')]
        return [
            *(("fetch", body) for body in bodies),
            ("poll", json.dumps({"id": "somebody-elses", "status": "completed"})),
            ("poll", json.dumps({"id": job, "status": "exploded"})),
            ("submit", "<html>"),
            ("submit", json.dumps({"id": "../../v2/upload", "status": "queued"})),
        ]


class SpeechmaticsProvider(KeyedProvider):
    """Speechmatics in the cloud; it has jobs and keeps our reference."""

    unknown = "a1b2c3d4e5"
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/v2/jobs"},
        "poll": {"method": "GET", "path_prefix": "/v2/jobs/"},
        "fetch": {"method": "GET", "path_prefix": "/v2/jobs/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/v2/jobs/"},
    }

    def jobs(self) -> set[str]:
        """As the control plane lists them."""
        return {job["id"] for job in self.server.control("GET", "/_emu/jobs")["jobs"]}

    def running(self, job: str) -> Any:
        """A status."""
        return {"job": {"id": job, "status": "running"}}

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """There is no transcript yet; the job is there."""
        return [("fetch", 404, {"code": 404, "error": "Job not found"}), ("fetch", 200, self.running(job))]

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another job, unknown states, and times, channels and confidences that are none."""

        def result(
            name: str = job, start: str = "0", end: str = "0.4", confidence: str = "0.5", channel: str = '"channel_1"'
        ) -> str:
            heard = f'[{{"content": "hi", "confidence": {confidence}}}]'
            times = f'"start_time": {start}, "end_time": {end}, "channel": {channel}'
            word = f'{{"type": "word", {times}, "alternatives": {heard}}}'
            return f'{{"format": "2.9", "job": {{"id": "{name}", "duration": 1}}, "results": [{word}]}}'

        def state(status: str, name: str = job) -> str:
            return json.dumps({"job": {"id": name, "status": status}})

        bodies = ["<html>", "[]", "[" * 5000, "{}", result(name="somebody-elses"), result(start="NaN")]
        bodies += [result(end="1e999"), result(start="-1"), result(end="9e15"), result(channel='"channel_9"')]
        bodies += [result(confidence="NaN"), result(confidence="1.5")]
        return [
            *(("fetch", body) for body in bodies),
            *(("poll", body) for body in ("<html>", "[]", state("exploded"), state("done", "somebody-elses"))),
            ("submit", "<html>"),
            ("submit", json.dumps({"id": "../../v2/usage"})),
        ]


class GoogleProvider(KeyedProvider):
    """Google Cloud, by way of a bucket, in v2: older versions cannot delete operations."""

    unknown = "projects/p/locations/global/operations/1@stt/1.flac"
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/v2/projects/"},
        "poll": {"method": "GET", "path_prefix": "/v2/projects/"},
        "fetch": {"method": "GET", "path_prefix": "/v2/projects/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/v2/projects/"},
    }

    def options(self, **changes: Any) -> EngineOptions:
        """The key of the stand-in's account; another secret is the key of an account that is none there."""
        fields = {name: value for name, value in changes.items() if name not in ("address", "secret")}
        address, key = changes.get("address", self.address), Path(self.server.said["key_file"]).read_text()
        if "secret" in changes:
            key = json.dumps(json.loads(key) | {"private_key": STRANGER, "private_key_id": changes["secret"]})
        common = {"credentials": key, "bucket": BUCKET, "request_timeout_s": 20, "api_version": "v2", "model": "long"}
        places = {"endpoint": address, "storage_endpoint": address}
        return self.kind.options_type(**{**common, **places, **fields})

    def running(self, job: str) -> Any:
        """An operation that is not done."""
        return {"name": job.partition("@")[0]}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another operation, unknown types, and times, channels and confidences that are none."""
        name = job.partition("@")[0]

        def result(start: str = '"0s"', end: str = '"0.4s"', confidence: str = "0.5", tag: str = "1") -> str:
            word = f'{{"word": "hi", "startOffset": {start}, "endOffset": {end}, "confidence": {confidence}}}'
            heard = f'{{"alternatives": [{{"transcript": "hi", "words": [{word}]}}], "channelTag": {tag}}}'
            file = f'{{"inlineResult": {{"transcript": {{"results": [{heard}]}}}}}}'
            kind = "type.googleapis.com/google.cloud.speech.v2.BatchRecognizeResponse"
            response = f'{{"@type": "{kind}", "results": {{"gs://b/o": {file}}}}}'
            return f'{{"name": "{name}", "done": true, "response": {response}}}'

        bodies = ["<html>", "[]", "[" * 5000, result(start='"-1s"'), result(end='"9000000000s"')]
        bodies += [result(start='"NaNs"'), result(confidence='"NaN"'), result(confidence="7"), result(tag="9")]
        foreign = {"name": name, "done": True, "response": {"@type": "type.googleapis.com/some.Thing", "a": 1}}
        return [
            *(("fetch", body) for body in bodies),
            ("poll", "<html>"),
            ("poll", json.dumps({"name": "somebody-elses", "done": True})),
            ("poll", json.dumps(foreign)),
            ("submit", "<html>"),
            ("submit", "{}"),
        ]


class AzureFastProvider(KeyedProvider):
    """Azure by fast transcription."""

    address_field = "endpoint"
    verbs = {"submit": {"method": "POST", "path_prefix": "/speechtotext/transcriptions:transcribe"}}

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, no turns, and times, channels and confidences that are none."""

        def result(start: str = "0", length: str = "400", confidence: str = "0.5", channel: str = "0") -> str:
            place = f'"text": "hi", "offsetMilliseconds": {start}, "durationMilliseconds": {length}'
            phrase = f'{place}, "channel": {channel}, "confidence": {confidence}, "words": [{{{place}}}]'
            return f'{{"durationMilliseconds": 400, "combinedPhrases": [], "phrases": [{{{phrase}}}]}}'

        bodies = ["<html>", "[]", "{}", '{"phrases": null}', "[" * 5000, result(start="NaN"), result(start="-1")]
        bodies += [result(length="1e999"), result(length="9e15"), result(confidence="NaN"), result(confidence="7")]
        return [("submit", body) for body in [*bodies, result(channel="9"), result(channel='"x"')]]


class AzureProvider(AzureFastProvider):
    """Azure by batch transcription, by way of a blob."""

    unknown = "11111111-1111-4111-8111-111111111111@stt/1"
    verbs = {
        "submit": {"method": "POST", "path_prefix": "/speechtotext/transcriptions:submit"},
        "poll": {"method": "GET", "path_prefix": "/speechtotext/transcriptions/"},
        "fetch": {"method": "GET", "path_prefix": "/speechtotext/transcriptions/"},
        "content": {"method": "GET", "path_prefix": "/results/"},
        "cleanup": {"method": "DELETE", "path_prefix": "/speechtotext/transcriptions/"},
    }

    def options(self, **changes: Any) -> EngineOptions:
        """With a storage account."""
        storage = {"storage_account": "devstoreaccount1", "storage_container": BUCKET, "storage_key": STORAGE_KEY}
        place = f"{changes.get('address', self.address)}/devstoreaccount1"
        return super().options(**{"method": "batch", **storage, "storage_endpoint": place, **changes})

    def jobs(self) -> set[str]:
        """As the control plane lists them, with their blobs."""
        jobs = self.server.control("GET", "/_emu/jobs")["jobs"]
        return {f"{job['id']}@stt/{job['name']}" for job in jobs}

    def running(self, job: str) -> Any:
        """A status."""
        number = job.partition("@")[0]
        return {"self": f"https://h/speechtotext/transcriptions/{number}?a=b", "status": "Running"}

    def not_done(self, job: str) -> list[tuple[str, int, Any]]:
        """There are no files yet."""
        return [("fetch", 200, {"values": []}), ("fetch", 200, self.running(job))]

    def unusable(self, job: str) -> list[tuple[str, str]]:
        """No JSON, another job, unknown states, no result and no address of one."""

        def status(number: str, status: str) -> str:
            return json.dumps({"self": f"https://h/speechtotext/transcriptions/{number}?a=b", "status": status})

        files = {"kind": "Transcription", "links": {"contentUrl": "file:///etc/passwd"}}
        return [
            *(("fetch", body) for body in ["<html>", "[]", "[" * 5000, '{"values": []}']),
            ("fetch", json.dumps({"values": [files]})),
            ("poll", "<html>"),
            ("poll", status("11111111-1111-4111-8111-111111111111", "Succeeded")),
            ("poll", status(job.partition("@")[0], "Exploded")),
            ("submit", "<html>"),
            ("submit", status("..", "NotStarted")),
        ]


PROVIDERS: dict[str, Any] = {
    "native_v2": NativeProvider,
    "miaop": OfflineTaskProvider,
    "openai": OpenAIProvider,
    "openai_compatible": OpenAIProvider,
    "deepgram": DeepgramProvider,
    "assemblyai": AssemblyAIProvider,
    "speechmatics": SpeechmaticsProvider,
    "google": GoogleProvider,
    "azure": AzureProvider,
    "azure_fast": AzureFastProvider,
}

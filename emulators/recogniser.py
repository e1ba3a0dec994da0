"""A second ear for what has no tone words: a server of the Native Speech API v2, such as the one the product runs."""

import hashlib
import http.client
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, Field, ValidationError

from speechserver.audio import AudioError
from speechserver.recognisers.base import Segment, Word

Channels = tuple[tuple[Segment, ...], ...]
# A recording waits for its turn at the server behind others; after this long it is given up.
WAIT_S = 900.0
REQUEST_S = 60.0
LONGEST_PAUSE_S = 2.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024
KEPT_RECORDINGS = 32
# Of words whose confidence the server does not tell, as vendors always write one.
UNTOLD_CONFIDENCE = 0.8
BUSY = (429, 500, 502, 503, 504)
Milliseconds = Annotated[int, Field(ge=0, le=2**40)]


class Unheard(Exception):
    """The server behind the stand-in did not answer as it should; the text names no key and no words."""


class _Word(BaseModel):
    text: Annotated[str, Field(max_length=1000)]
    startMs: Milliseconds
    endMs: Milliseconds
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None


class _Segment(BaseModel):
    channel: Annotated[int, Field(ge=0, le=63)] = 0
    words: list[_Word]


class _Result(BaseModel):
    segments: list[_Segment]


class Recogniser:
    """One server and one bearer token. Blocks; to be called from threads."""

    def __init__(self, address: str, key_file: Path | None) -> None:
        parts = urlsplit(address)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("The recogniser's address is http://HOST:PORT.")
        self._host, self._port = parts.hostname, parts.port or 80
        self._key_file = key_file
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Future[Channels]] = OrderedDict()

    def hear(self, content: bytes, *, channels: int, mix: bool) -> Channels:
        """The segments of each of ``channels``. The same recording is sent once, however often and at once it is asked for.

        Raises ``AudioError`` for what the server calls no audio, ``Unheard`` when it does not answer in time.
        """
        key = hashlib.sha256(content).hexdigest() + ("mix" if mix else "")
        with self._lock:
            known = self._known.get(key)
            own = known is None
            answer: Future[Channels] = Future() if known is None else known
            if own:
                self._known[key] = answer
                while len(self._known) > KEPT_RECORDINGS:
                    self._known.popitem(last=False)
        if own:
            try:
                answer.set_result(self._recognised(content, channels, mix))
            except Exception as error:
                with self._lock:
                    self._known.pop(key, None)
                answer.set_exception(error)
        return answer.result()

    def _recognised(self, content: bytes, channels: int, mix: bool) -> Channels:
        deadline = time.monotonic() + WAIT_S
        body, content_type = _form(content, {"punctuate": False, "channels": "mix" if mix else "separate"})
        # One key for all tries: an answer that is lost makes no second job.
        headers = {"Content-Type": content_type, "Idempotency-Key": secrets.token_hex(16)}
        made = self._call("POST", "/v2/transcriptions", deadline, body, headers)
        if not isinstance(made.get("id"), str) or not made["id"].isidentifier():
            raise Unheard("The recogniser's answer does not follow its format.")
        path = f"/v2/transcriptions/{made['id']}"
        try:
            pause = 0.1
            while (state := self._call("GET", path, deadline)).get("status") in ("queued", "processing"):
                time.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE_S)
            if state.get("status") != "completed":
                raise AudioError("decode_error", "The recogniser could not use the audio.")
            return _segments(self._call("GET", f"{path}/result", deadline), channels)
        finally:
            # Also when it is given up: nothing of a recording stays there.
            with suppress(Unheard, AudioError):
                self._call("DELETE", path, time.monotonic())

    def _call(
        self, method: str, path: str, deadline: float, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """One request, again while the server is away or busy. Raises as ``hear``."""
        while True:
            status, answer = self._ask(method, path, body, headers or {})
            if 200 <= status < 300:
                return answer
            if status in (413, 415, 422):
                raise AudioError("decode_error", "The recogniser takes no such audio.")
            if status not in (0, *BUSY):
                raise Unheard(f"The recogniser behind the stand-in answered with HTTP {status}.")
            if time.monotonic() + LONGEST_PAUSE_S > deadline:
                raise Unheard("The recogniser behind the stand-in does not answer.")
            time.sleep(LONGEST_PAUSE_S)

    def _ask(self, method: str, path: str, body: bytes, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and members of the answer; 0 where none came. By hand: no proxy, no redirect."""
        # Read anew each time: the file may be replaced while the stand-in runs.
        headers = {"Authorization": f"Bearer {self._key_file.read_text().strip()}"} if self._key_file else {}
        headers |= given
        connection = http.client.HTTPConnection(self._host, self._port, timeout=REQUEST_S)
        try:
            connection.request(method, path, body=body or None, headers=headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES)
            found = orjson.loads(content) if content and response.status < 300 else {}
            return response.status, found if isinstance(found, dict) else {}
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError):
            return 0, {}
        finally:
            connection.close()


def _form(content: bytes, config: dict[str, Any]) -> tuple[bytes, str]:
    """The two parts of a submission, and the type of the body."""
    edge = secrets.token_hex(16)
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="config"\r\nContent-Type: application/json\r\n\r\n'
        f"{orjson.dumps(config).decode()}\r\n"
        f'--{edge}\r\nContent-Disposition: form-data; name="audio"; filename="audio"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return b"".join((head.encode(), content, f"\r\n--{edge}--\r\n".encode())), f"multipart/form-data; boundary={edge}"


def _segments(answer: dict[str, Any], channels: int) -> Channels:
    try:
        result = _Result.model_validate(answer)
    except ValidationError:
        raise Unheard("The recogniser's answer does not follow its format.") from None
    found: Sequence[list[Segment]] = [[] for _channel in range(channels)]
    for segment in result.segments:
        words = tuple(
            # No blank inside a word: stand-ins write a sentence and count its words.
            Word("".join(word.text.split()), word.startMs, word.endMs, word.confidence or UNTOLD_CONFIDENCE)
            for word in segment.words
            if word.text.strip()
        )
        if words and segment.channel < channels:
            found[segment.channel].append(Segment(words))
    return tuple(tuple(segments) for segments in found)

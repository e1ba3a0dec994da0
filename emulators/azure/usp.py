"""The websocket of the Speech SDK: one turn a recording, acknowledged to its end (providers §2.5)."""

import asyncio
import io
import json
import struct
import uuid
import wave
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from emulators.azure.fast import LOCALES
from emulators.hearing import hear, sentence
from emulators.recogniser import Unheard
from speechserver.recognisers.base import Segment

PATH = "/speech/recognition/{mode:conversation|dictation|interactive}/cognitiveservices/v1"
TICKS_PER_MS = 10_000
MAX_MESSAGE_BYTES = 1024 * 1024
RIFF_BYTES = 44
# The websocket's own words for a message that makes no sense, and for trouble of the server.
UNSUPPORTED_DATA = 1007
INTERNAL_ERROR = 1011


@dataclass
class Turn:
    """The audio of one request of the connection."""

    request_id: str = ""
    audio: bytearray = field(default_factory=bytearray)


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Listen until the client leaves."""
    socket = web.WebSocketResponse(protocols=("USP",), max_msg_size=MAX_MESSAGE_BYTES)
    await socket.prepare(request)
    asked = request.query.get("lidEnabled") or request.query.get("language", "")
    if any(locale not in LOCALES for locale in asked.split(",")):
        await socket.close(code=UNSUPPORTED_DATA, message=b"Specified language is not supported.")
        return socket
    turn = Turn()
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            await _audio(request, socket, turn, message.data)
    return socket


async def _audio(request: web.Request, socket: web.WebSocketResponse, turn: Turn, data: bytes) -> None:
    length = struct.unpack(">H", data[:2])[0]
    headers = _headers(data[2 : 2 + length].decode())
    if headers.get("path") != "audio":
        return
    if headers["x-requestid"] != turn.request_id:
        turn.request_id, turn.audio = headers["x-requestid"], bytearray()
        await _say(socket, turn, "turn.start", {"context": {"serviceTag": uuid.uuid4().hex}})
    payload = data[2 + length :]
    turn.audio += payload
    if not payload:
        await _answer(request, socket, turn)


async def _answer(request: web.Request, socket: web.WebSocketResponse, turn: Turn) -> None:
    try:
        heard = await asyncio.to_thread(hear, _whole(bytes(turn.audio)))
    except Unheard:
        await socket.close(code=INTERNAL_ERROR, message=b"The recogniser behind the stand-in does not answer.")
        return
    request["entry"].update(bytes=len(turn.audio), audioMs=heard.duration_ms, text=heard.text)
    for segment in heard.channels[0]:
        await _say(socket, turn, "speech.phrase", _phrase(segment))
    # What is not acknowledged would be sent again.
    end = heard.duration_ms * TICKS_PER_MS
    await _say(socket, turn, "speech.phrase", {"RecognitionStatus": "EndOfDictation", "Offset": end, "Duration": 0})
    await _say(socket, turn, "speech.endDetected", {"Offset": end})
    await _say(socket, turn, "turn.end", {})


def _whole(audio: bytes) -> bytes:
    """A WAV file with its sizes, which the client leaves open."""
    channels, rate = struct.unpack("<HI", audio[22:28])
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(audio[RIFF_BYTES:])
    return made.getvalue()


def _phrase(segment: Segment) -> dict[str, Any]:
    lexical, display = " ".join(word.text.lower() for word in segment.words), sentence(segment)
    words = [
        {"Word": word.text.lower(), "Confidence": word.confidence, **_place(word.start_ms, word.end_ms)}
        for word in segment.words
    ]
    shown = [
        {"DisplayText": text, **_place(word.start_ms, word.end_ms)}
        for word, text in zip(segment.words, display.split(" "), strict=True)
    ]
    best = {"Confidence": 0.9, "Lexical": lexical, "ITN": lexical, "MaskedITN": lexical, "Display": display}
    said = {"RecognitionStatus": "Success", "DisplayText": display, "Channel": 0}
    place = _place(segment.words[0].start_ms, segment.words[-1].end_ms)
    return {**said, **place, "NBest": [{**best, "Words": words, "DisplayWords": shown}]}


def _place(start_ms: int, end_ms: int) -> dict[str, int]:
    return {"Offset": start_ms * TICKS_PER_MS, "Duration": (end_ms - start_ms) * TICKS_PER_MS}


async def _say(socket: web.WebSocketResponse, turn: Turn, path: str, body: dict[str, Any]) -> None:
    head = {"X-RequestId": turn.request_id, "Content-Type": "application/json; charset=utf-8", "Path": path}
    lines = "\r\n".join(f"{name}:{value}" for name, value in head.items())
    await socket.send_str(f"{lines}\r\n\r\n{json.dumps(body)}")


def _headers(block: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in block.split("\r\n") if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}

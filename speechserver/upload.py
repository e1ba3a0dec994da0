"""Receives ``POST /v2/transcriptions``: the multipart body goes to disk part by part, never whole into memory."""

import asyncio
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from speechserver.config import MAX_CONFIG_BYTES, TranscriptionConfig, parse_config
from speechserver.problems import Problem, invalid

CHUNK = 256 * 1024
MULTIPART_SLACK = MAX_CONFIG_BYTES + 64 * 1024
_KEY = re.compile(r"^[\x21-\x7e]{1,200}$")


@dataclass
class Upload:
    """A received upload; ``size`` in bytes, ``sha256`` of the audio in hex."""

    path: Path
    size: int
    sha256: str
    config: TranscriptionConfig

    @property
    def fingerprint(self) -> str:
        """What makes two uploads the same for the idempotency key: audio and full config."""
        config = json.dumps(self.config.model_dump(), sort_keys=True)
        return hashlib.sha256(f"{self.sha256}\n{config}".encode()).hexdigest()


def idempotency_key(request: web.Request) -> str | None:
    """The key of a request. Raises ``Problem`` when it is not 1-200 printable ASCII characters."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.match(key):
        raise invalid("Idempotency-Key", "must be 1 to 200 printable ASCII characters")
    return key


async def receive(request: web.Request, path: Path, max_bytes: int) -> Upload:
    """Read the parts ``audio`` and ``config`` (in either order); audio goes to ``path``, which the caller owns.

    Raises ``Problem``: 400 for missing, double or unknown parts and bad config, 413 above ``max_bytes``, 415 when the
    body is not multipart.
    """
    if request.content_type != "multipart/form-data":
        raise Problem("unsupported_media_type", "The body must be multipart/form-data with the parts audio and config.")
    if request.content_length is not None and request.content_length > max_bytes + MULTIPART_SLACK:
        raise _too_large(max_bytes)
    try:
        audio, config = await _parts(await request.multipart(), path, max_bytes)
    except (ValueError, AssertionError) as error:
        raise invalid("body", f"broken multipart body ({type(error).__name__})") from None
    if audio is None:
        raise invalid("audio", "this part is required")
    if config is None:
        raise invalid("config", "this part is required")
    if not audio[0]:
        raise invalid("audio", "the file is empty")
    return Upload(path, audio[0], audio[1], config)


async def _parts(
    reader: MultipartReader, path: Path, max_bytes: int
) -> tuple[tuple[int, str] | None, TranscriptionConfig | None]:
    audio: tuple[int, str] | None = None
    config: TranscriptionConfig | None = None
    async for part in reader:
        if part is None or isinstance(part, MultipartReader):
            raise invalid("body", "nested multipart is not allowed")
        if part.name == "audio" and audio is None:
            audio = await _save(part, path, max_bytes)
        elif part.name == "config" and config is None:
            config = parse_config(await _read_small(part))
        else:
            known = part.name in ("audio", "config")
            raise invalid(str(part.name)[:60], "this part stands twice" if known else "unknown part")
    return audio, config


async def _save(part: BodyPartReader, path: Path, max_bytes: int) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    with path.open("wb") as file:
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(max_bytes)
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return size, digest.hexdigest()


async def _read_small(part: BodyPartReader) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(8192):
        data += chunk
        if len(data) > MAX_CONFIG_BYTES:
            raise invalid("config", f"must be at most {MAX_CONFIG_BYTES} bytes")
    return bytes(data)


def _too_large(max_bytes: int) -> Problem:
    return Problem("payload_too_large", f"The audio may have at most {max_bytes} bytes.")

"""A folder of audio as one task (E2), streamed from the disk."""

from __future__ import annotations

import io
import json
import os
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stack.miaop_client.errors import LOCAL_TROUBLE, REFUSED, WRONG_USAGE, ClientError
from stack.miaop_client.server import UPLOAD_PATIENCE, Server
from stack.miaop_client.settings import Settings

# The guide speaks of WAV files; the contract has these decoded (R4.7).
SUFFIXES = frozenset([".wav", ".mp3", ".ogg", ".opus", ".oga", ".flac", ".m4a", ".mp4", ".wma", ".amr", ".webm"])
MAX_FILES = 200
Advance = Callable[[int], None]


class _Watched(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, advance: Advance) -> None:
        super().__init__(path)
        self._advance = advance

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes, counted."""
        found = super().read(-1 if size is None else size) or b""
        self._advance(len(found))
        return found


def audio_in(folder: Path) -> list[Path]:
    """The audio files of a folder by name. Raises ClientError where there is none, or more than a task takes."""
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise ClientError(f"{folder} cannot be read: {error.strerror}", exit_code=LOCAL_TROUBLE) from error
    if not found:
        raise ClientError(f"{folder} holds no audio file", exit_code=WRONG_USAGE)
    if len(found) > MAX_FILES:
        message = f"{folder} holds {len(found)} audio files, a task takes at most {MAX_FILES}"
        raise ClientError(message, exit_code=WRONG_USAGE)
    return found


def task_of(settings: Settings, names: Sequence[str], now: datetime) -> dict[str, Any]:
    """The member ``task`` of a submission, as the guide fills it (R5, R6 of the guide's sample)."""
    stamp = now.strftime("%d.%m.%Y %H:%M")
    task: dict[str, Any] = {
        "tenant": settings.tenant,
        "taskName": settings.task_name or f"Offline task {stamp}",
        "taskType": "offline",
        "taskCreationTime": stamp,
        "taskStatus": "sttPending",
        "baseLanguages": [settings.language],
        "meetings": [
            {"files": [{"file": name, "baseLanguage": settings.language}], "aiGenerationMode": "auto"} for name in names
        ],
        "supervisor": {"name": "", "email": settings.supervisor},
    }
    return task | ({"genericAdditionalInfo": settings.info} if settings.info else {})


def submit(server: Server, files: Sequence[Path], *, advance: Advance) -> str:
    """Upload the files as one task and return its id; ``advance`` hears of every byte read.

    Raises ClientError. A connection that breaks is not tried again: the server may have taken the task.
    """
    settings = server.settings
    if not settings.language:
        raise ClientError("BASE_LANGUAGE is not set: write it into config.env, or use -l", exit_code=WRONG_USAGE)
    # One form of the letters on both sides: some file systems take names apart.
    names = [unicodedata.normalize("NFC", os.fsencode(path.name).decode("utf-8", "replace")) for path in files]
    task = task_of(settings, names, datetime.now(UTC).astimezone())
    with ExitStack() as stack:
        try:
            parts = [
                ("soundBlob", (name, stack.enter_context(_Watched(path, advance)), "application/octet-stream"))
                for name, path in zip(names, files, strict=True)
            ]
        except OSError as error:
            raise ClientError(f"{error.filename} cannot be read: {error.strerror}", exit_code=LOCAL_TROUBLE) from error
        form = {"task": json.dumps(task, ensure_ascii=False)}
        answer = server.json("POST", "/hrec", data=form, files=parts, timeout=UPLOAD_PATIENCE)
    task_id = answer.get("taskId") if isinstance(answer, dict) else None
    if not isinstance(task_id, str) or not task_id:
        raise ClientError("the submission was answered without a taskId", exit_code=REFUSED)
    return task_id

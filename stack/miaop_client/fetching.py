"""Fetching what became of a finished task, and saving it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stack.miaop_client.polling import DONE
from stack.miaop_client.saving import save_json, save_text, stem_of
from stack.miaop_client.server import Server


def fetch(server: Server, task: dict[str, Any], names: Sequence[str], folder: Path) -> list[str]:
    """Save the task and all meetings into the folder; returns a line for every file that has no transcript.

    ``names`` are the files as they were submitted: the n-th is the meeting n (R4.4). Raises ClientError.
    """
    save_json(folder / "task.json", task)
    failed = []
    for number, name in enumerate(names, 1):
        meeting_id = f"{number}.{task['taskId']}"
        meeting = server.json("GET", f"/api/meetings/{quote(meeting_id)}")
        stem = stem_of(number, name)
        save_json(folder / f"{stem}.meeting.json", meeting)
        metadata = meeting.get("metadata") if isinstance(meeting, dict) else None
        metadata = metadata if isinstance(metadata, dict) else {}
        if metadata.get("status") != DONE:
            failed.append(_failure(name, metadata))
            continue
        found = server.json("GET", f"/api/stt/{quote(meeting_id)}/0")
        paragraphs = found.get("transcription") if isinstance(found, dict) else None
        save_json(folder / f"{stem}.transcript.json", found)
        save_text(folder / f"{stem}.txt", [each for each in paragraphs or [] if isinstance(each, dict)])
    return failed


def _failure(name: str, metadata: dict[str, Any]) -> str:
    info = metadata.get("errorInfo")
    info = info if isinstance(info, dict) else {}
    return f"{name}: {info.get('name', metadata.get('status'))} {info.get('message', '')}".rstrip()

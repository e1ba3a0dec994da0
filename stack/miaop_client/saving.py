"""What comes back, as files: the task, and metadata, transcript and readable text of each meeting."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stack.files import write_private
from stack.miaop_client.errors import LOCAL_TROUBLE, ClientError

SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
# File systems count bytes; room is left for number and ending.
MAX_STEM_BYTES = 180


def folder_of(parent: Path, task_id: str) -> Path:
    """The folder of a task. Raises ClientError for an id that would be no name of a folder."""
    if not SAFE_ID.match(task_id):
        raise ClientError("the id of the task is no name of a folder: it is not saved", exit_code=LOCAL_TROUBLE)
    return parent / task_id


def stem_of(number: int, file: str) -> str:
    """The name of a meeting's files: its number and the name of its audio, letters of any script kept."""
    bare = Path(file.replace("\\", "/").rsplit("/", 1)[-1]).stem
    clean = "".join(each if each.isprintable() and each not in '<>:"|?*' else "_" for each in bare)
    cut = clean.encode("utf-8", "replace")[:MAX_STEM_BYTES].decode("utf-8", "ignore").strip(". ")
    return f"{number}-{cut}" if cut else str(number)


def save_json(path: Path, value: Any) -> None:
    """One file of JSON, old or new and never half, for its owner alone. Raises ClientError."""
    _save(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def save_text(path: Path, transcription: list[dict[str, Any]]) -> None:
    """The transcript to read: a line for each paragraph, in the order and direction of the text itself."""
    _save(path, "".join(f"{line_of(paragraph)}\n" for paragraph in transcription))


def line_of(paragraph: dict[str, Any]) -> str:
    """``[m:ss] speaker: text``."""
    location = paragraph.get("location")
    seconds = int(location) // 1000 if isinstance(location, int | float) else 0
    return f"[{seconds // 60}:{seconds % 60:02d}] {paragraph.get('id', '')}: {paragraph.get('text', '')}"


def _save(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, text)
    except OSError as error:
        raise ClientError(f"{path} cannot be written: {error.strerror}", exit_code=LOCAL_TROUBLE) from error

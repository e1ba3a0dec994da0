"""Importing a folder of recorded calls: audio with one JSON sidecar a call, or with one ``calls.csv``.

Each call is taken in or refused for itself, with field and rule. Running again goes on where it stopped: a call that is
there with the same audio is "already imported". Only regular files inside the folder are read (hostile 3D11).
"""

import csv
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from conversations.import_reports import ALREADY, IMPORTED, REFUSED, ImportReport, Outcome
from conversations.intake import digest, preparing
from conversations.metadata import CallMetadata, read_metadata
from conversations.models import SPOKEN, Call
from conversations.services import check_call, ingest_call
from conversations.strictjson import NotStrict, loads
from core.errors import InvalidInput
from tenants.models import Tenant

CSV_NAME = "calls.csv"
MAX_SIDECAR_BYTES = 64 * 1024
MAX_CSV_BYTES = 64 * 1024 * 1024
MAX_CSV_ROWS = 1_000_000
AUDIO_SUFFIXES = {
    ".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a", ".mp4", ".aac", ".amr", ".au", ".aiff", ".webm", ".mka",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One call that the folder names; ``broken`` when its sidecar cannot be read."""

    source: str
    fields: dict[str, Any]
    broken: InvalidInput | None = None


class Folder:
    """The regular files directly inside one folder; nothing is followed out of it."""

    def __init__(self, root: Path) -> None:
        """Open the folder. Raises OSError."""
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the folder."""
        os.close(self._fd)

    def names(self) -> list[str]:
        """The names of all entries, in order."""
        return sorted(os.listdir(self._fd))

    def open(self, name: str, field_name: str) -> BinaryIO:
        """Open a regular file. Raises InvalidInput for ``field_name`` when it is missing or anything else."""
        if not name or "/" in name or "\\" in name or "\x00" in name or name in {".", ".."}:
            raise InvalidInput(field_name, _("Name a file in the same folder, without a path."))
        try:
            # O_NONBLOCK, because opening a pipe without a writer would wait for ever.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self._fd)
        except FileNotFoundError:
            raise InvalidInput(field_name, _("There is no such file in the folder.")) from None
        except (OSError, UnicodeError):
            raise InvalidInput(field_name, _("This is not a regular file in the folder, or cannot be read.")) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise InvalidInput(field_name, _("This is not a regular file in the folder, or cannot be read."))
        return os.fdopen(descriptor, "rb")

    def read(self, name: str, limit: int) -> bytes:
        """The content of a small file. Raises InvalidInput when it is larger than ``limit`` bytes."""
        with self.open(name, "sidecar") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise InvalidInput("sidecar", _("The file is larger than %(limit)d KB.") % {"limit": limit // 1024})
        return content


def choose_format(folder: Folder) -> str:
    """``csv`` when there is a calls.csv, else ``json``."""
    return "csv" if CSV_NAME in folder.names() else "json"


def entries_of(folder: Folder, kind: str) -> list[Entry]:
    """The calls that the folder names. Raises InvalidInput when calls.csv cannot be read at all."""
    if kind == "csv":
        return list(_csv_entries(folder.read(CSV_NAME, MAX_CSV_BYTES)))
    return [_json_entry(folder, name) for name in folder.names() if name.lower().endswith(".json")]


def _json_entry(folder: Folder, name: str) -> Entry:
    try:
        values = loads(folder.read(name, MAX_SIDECAR_BYTES))
        if not isinstance(values, dict):
            raise InvalidInput("sidecar", _("A sidecar is one JSON object."))
    except NotStrict as error:
        return Entry(name, {}, InvalidInput("sidecar", str(error)))
    except InvalidInput as error:
        return Entry(name, {}, error)
    return Entry(name, values)


def _csv_entries(content: bytes) -> Iterator[Entry]:
    try:
        text = content.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        header = reader.fieldnames or []
        if len(set(header)) != len(header):
            raise InvalidInput("sidecar", _("A column is there twice."))
        for number, row in enumerate(reader, start=2):
            if number > MAX_CSV_ROWS:
                raise InvalidInput("sidecar", _("There are too many rows; split the file."))
            yield _csv_entry(f"{CSV_NAME} row {number}", row)
    except UnicodeDecodeError:
        raise InvalidInput("sidecar", _("The file is not UTF-8 text.")) from None
    except csv.Error:
        raise InvalidInput("sidecar", _("The file is not valid CSV.")) from None


def _csv_entry(source: str, row: dict[Any, Any]) -> Entry:
    """Everything in CSV is text: numbers and lists are made of it here; empty cells count as absent."""
    if None in row:
        return Entry(source, {}, InvalidInput("columns", _("The row has more cells than there are columns.")))
    values: dict[str, Any] = {name: value for name, value in row.items() if value not in (None, "")}
    try:
        if "tags" in values:
            values["tags"] = [tag.strip() for tag in values["tags"].split(";") if tag.strip()]
        if "duration_s" in values:
            values["duration_s"] = float(values["duration_s"])
        if "started_at_offset_minutes" in values:
            values["started_at_offset_minutes"] = int(values["started_at_offset_minutes"])
        if "hold_events" in values:
            values["hold_events"] = [_csv_hold(event) for event in values["hold_events"].split(";") if event.strip()]
        if "confidential" in values:
            # Any other word stays text, which the metadata refuse.
            words = {"true": True, "false": False}
            values["confidential"] = words.get(values["confidential"].strip().lower(), values["confidential"])
    except InvalidInput as error:
        return Entry(source, values, error)
    except ValueError:
        field_name = "duration_s" if isinstance(values.get("duration_s"), str) else "started_at_offset_minutes"
        return Entry(source, values, InvalidInput(field_name, _("Use a number.")))
    return Entry(source, values)


def _csv_hold(text: str) -> dict[str, Any]:
    """From ``hold 12.5-40``. Raises InvalidInput."""
    kind, _space, span = text.strip().partition(" ")
    start, _dash, end = span.strip().partition("-")
    try:
        return {"type": kind, "start_s": float(start), "end_s": float(end)}
    except ValueError:
        raise InvalidInput("hold_events", _("Write events like: hold 12.5-40; wait_in_queue 0-12.5")) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """How a folder is imported: into ``tenant`` (entered already), for ``actor``."""

    tenant: Tenant
    actor: str
    folder: Folder
    base_time: datetime | None = None
    dry_run: bool = False

    def run(self, entries: list[Entry], progress: Callable[[Outcome], None]) -> ImportReport:
        """Take every entry; ``progress`` hears of each outcome. A stop in between loses nothing that was done."""
        report = ImportReport()
        for entry in entries:
            outcome = self._take(entry)
            report.outcomes.append(outcome)
            progress(outcome)
        report.outcomes += self._forgotten(entries)
        return report

    def _take(self, entry: Entry) -> Outcome:
        external_id = str(entry.fields.get("external_id") or "")[:200]
        try:
            if entry.broken is not None:
                raise entry.broken
            fields = dict(entry.fields)
            name = fields.pop("audio", None)
            if name is not None and not isinstance(name, str):
                raise InvalidInput("audio", _("This must be the name of a file."))
            metadata = read_metadata(fields, base_time=self.base_time)
            with self._private_copy(name) as audio:
                result = self._store(metadata, audio, name or "")
        except InvalidInput as error:
            return Outcome(entry.source, external_id, REFUSED, error.field, error.message)
        return Outcome(entry.source, external_id, result)

    @contextmanager
    def _private_copy(self, name: str | None) -> Iterator[Path | None]:
        """A copy that nobody can exchange between judging and storing; None when the call has no audio."""
        if name is None:
            yield None
            return
        with tempfile.TemporaryDirectory(prefix="parlance-import-") as folder, self.folder.open(name, "audio") as file:
            copy = Path(folder) / "audio"
            with copy.open("wb") as target:
                shutil.copyfileobj(file, target, 1024 * 1024)
            yield copy

    def _store(self, metadata: CallMetadata, audio: Path | None, label: str) -> str:
        if _is_there(metadata, audio):
            return ALREADY
        if self.dry_run:
            with preparing(audio) as prepared:
                check_call(tenant=self.tenant, metadata=metadata, prepared=prepared)
            return IMPORTED
        ingest_call(
            tenant=self.tenant, metadata=metadata, audio_path=audio, label=label, actor=self.actor, source="import"
        )
        return IMPORTED

    def _forgotten(self, entries: list[Entry]) -> Iterator[Outcome]:
        """Audio that no entry names: refused, so that nobody believes it was imported."""
        named = {entry.fields.get("audio") for entry in entries if isinstance(entry.fields.get("audio"), str)}
        for name in self.folder.names():
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and name not in named:
                yield Outcome(name, "", REFUSED, "audio", _("No sidecar names this file."))


def _is_there(metadata: CallMetadata, audio: Path | None) -> bool:
    """The same external id with the same audio. Another file under a known id is for the service to refuse."""
    call = Call.objects.filter(SPOKEN, external_id=metadata.external_id.strip()).prefetch_related("recordings").first()
    if call is None:
        return False
    stored = {recording.sha256 for recording in call.recordings.all()}
    return stored == ({digest(audio)} if audio is not None else set())

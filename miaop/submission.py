"""What a submission says, held to the rules of 4.2 and 4.3: all that is wrong is told at once, by JSON pointers. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from miaop.conditions import TASK_TYPE
from miaop.errors import ApiError, Detail
from miaop.strictjson import Malformed, TooDeep, loads, unstorable
from miaop.times import written_moment

TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}\Z")
MAX_TASK_BYTES, MAX_DEPTH, MAX_INFO_BYTES, MAX_EXTRA_BYTES = 1024 * 1024, 20, 10_240, 32 * 1024
MAX_TEXT, MAX_MEETINGS, MAX_ATTRIBUTES = 255, 200, 100
PENDING, BY_HAND = "sttPending", frozenset({"none", "manual"})
INVALID, LANGUAGE, TOO_LARGE, TOO_MANY = (
    "INVALID_TASK",
    "UNSUPPORTED_LANGUAGE",
    "ADDITIONAL_INFO_TOO_LARGE",
    "TOO_MANY_FILES",
)
KNOWN = frozenset(
    {
        *("taskId", "tenant", "taskName", "taskType", "taskStatus", "taskCreationTime", "taskUpdateTime"),
        *("baseLanguages", "sttLanguages", "sttLanguage", "genericAdditionalInfo", "meetings", "supervisor"),
    }
)
# Ours alone: what a client sends under these names is what it read before.
COMPUTED = frozenset({"taskUpdateTimeNumeric", "sttRemainingTime", "sttRemainingSeconds", "archive"})


@dataclass(frozen=True, slots=True)
class FileAsked:
    """One file of a meeting (R4.4): its name, its language by name, and whether AI tasks wait for a person."""

    name: str
    language: str
    ai_on_request: bool
    path: str


@dataclass(frozen=True, slots=True)
class Defaults:
    """What stands where the submitter says nothing."""

    language: str
    supervisor_name: str
    supervisor_email: str
    zone: tzinfo
    now: datetime


@dataclass(frozen=True, slots=True)
class Submission:
    """A valid one. ``members`` are as submitted with the defaults; ``started_at`` is None when no time was told."""

    task_id: str
    name: str
    members: dict[str, Any]
    languages: tuple[str, ...]
    files: tuple[FileAsked, ...]
    supervisor_name: str
    supervisor_email: str
    started_at: datetime | None
    attributes: dict[str, Any]
    source: Mapping[str, Any]

    def digest(self, hashes: Sequence[str]) -> str:
        """Of the members as they came and of the files (A24), in hexadecimal."""
        text = json.dumps(self.source, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256("\n".join([text, *hashes]).encode()).hexdigest()


def parsed(content: bytes, *, most: int = MAX_TASK_BYTES) -> Any:
    """Strict JSON of at most ``most`` bytes and 20 levels. Raises Malformed."""
    if len(content) > most:
        raise Malformed(f"at most {most} bytes")
    try:
        found = loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Malformed("must be UTF-8") from None
    except TooDeep:
        raise Malformed(f"at most {MAX_DEPTH} levels") from None
    _storable(found, 1)
    return found


def _storable(found: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"at most {MAX_DEPTH} levels")
    if isinstance(found, str):
        if unstorable(found):
            raise Malformed("a text holds characters that cannot be stored")
    elif isinstance(found, list):
        for each in found:
            _storable(each, depth + 1)
    elif isinstance(found, dict):
        for name, value in found.items():
            _storable(name, depth)
            _storable(value, depth + 1)


def task_object(content: bytes) -> dict[str, Any]:
    """The part ``task`` (R4.1). Raises ApiError 400."""
    try:
        found = parsed(content)
    except Malformed as error:
        raise _invalid([Detail("", str(error))]) from None
    if not isinstance(found, dict):
        raise _invalid([Detail("", "must be a JSON object")])
    return found


def read_submission(task: Mapping[str, Any], *, languages: Sequence[str], usual: Defaults) -> Submission:
    """Hold the members to their rules. ``languages``: the names that are valid. Raises ApiError 400 with all details."""
    reader = _Reader(task, languages, usual)
    found = reader.read()
    if reader.problems:
        codes = {code for code, _detail in reader.problems}
        raise _invalid([detail for _code, detail in reader.problems], codes.pop() if len(codes) == 1 else INVALID)
    return found


def _invalid(details: Sequence[Detail], code: str = INVALID) -> ApiError:
    return ApiError(400, code, "Task metadata is invalid.", details=details)


class _Reader:
    """Reads one task and collects what is wrong."""

    def __init__(self, task: Mapping[str, Any], languages: Sequence[str], usual: Defaults) -> None:
        self.task, self.valid, self.usual = task, tuple(languages), usual
        self.problems: list[tuple[str, Detail]] = []

    def wrong(self, path: str, rule: str, code: str = INVALID) -> None:
        """Note one broken rule."""
        self.problems.append((code, Detail(path, rule)))

    def read(self) -> Submission:
        """Every member; what is wrong reads as empty."""
        task_id = self.identity()
        self.fixed()
        usual_name = f"Offline task {self.usual.now.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        name = self.text("taskName", "/taskName", self.task) or usual_name
        meetings = self.meetings()
        named = self.languages(meetings)
        files = tuple(self.files(meetings, named))
        if len(files) > MAX_MEETINGS:
            self.wrong("/meetings", f"at most {MAX_MEETINGS} files", TOO_MANY)
        supervisor = self.supervisor()
        info = self.info()
        written = f"{self.usual.now.astimezone(self.usual.zone):%d.%m.%Y %H:%M}"
        created = self.task.get("taskCreationTime")
        updated = self.task.get("taskUpdateTime")
        members = self.extra() | {
            "taskName": name,
            "taskCreationTime": written if created in (None, "") else created,
            "taskUpdateTime": written if updated in (None, "") else updated,
            "baseLanguages": list(named),
            "supervisor": supervisor,
            "meetings": [self.kept(meeting) for meeting in meetings],
        }
        if self.task.get("genericAdditionalInfo") is not None:
            members["genericAdditionalInfo"] = self.task["genericAdditionalInfo"]
        return Submission(
            task_id=task_id,
            name=name,
            members=members,
            languages=named,
            files=files,
            supervisor_name=supervisor["name"],
            supervisor_email=supervisor["email"],
            started_at=written_moment(created, self.usual.zone),
            attributes=_attributes(info),
            source=self.task,
        )

    def identity(self) -> str:
        found = self.task.get("taskId")
        if found in (None, ""):
            return ""
        if not isinstance(found, str) or not TASK_ID.match(found):
            self.wrong("/taskId", "must be 1 to 128 of the characters A-Z a-z 0-9 _ - and begin with a letter or digit")
            return ""
        return found

    def fixed(self) -> None:
        if self.task.get("taskType") != TASK_TYPE:
            self.wrong("/taskType", f"must be “{TASK_TYPE}”")
        if self.task.get("taskStatus") not in (None, PENDING):
            self.wrong("/taskStatus", f"must be absent or “{PENDING}”")

    def text(self, name: str, path: str, where: Mapping[str, Any]) -> str:
        found = where.get(name)
        if found is None:
            return ""
        if not isinstance(found, str) or len(found) > MAX_TEXT:
            self.wrong(path, f"must be a text of at most {MAX_TEXT} characters")
            return ""
        return found.strip()

    def meetings(self) -> list[Mapping[str, Any]]:
        found = self.task.get("meetings")
        if not isinstance(found, list) or not found:
            self.wrong("/meetings", "must be an array with at least one object")
            return []
        if len(found) > MAX_MEETINGS:
            self.wrong("/meetings", f"at most {MAX_MEETINGS} meetings", TOO_MANY)
            return []
        for place, meeting in enumerate(found):
            if not isinstance(meeting, dict):
                self.wrong(f"/meetings/{place}", "must be an object")
        return [meeting if isinstance(meeting, dict) else {"files": []} for meeting in found]

    def languages(self, meetings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Those of the task; else of its files; else the tenant's (4.2)."""
        for name in ("baseLanguages", "sttLanguages", "sttLanguage"):
            found = self.task.get(name)
            if found is None:
                continue
            if name == "sttLanguage" and isinstance(found, str):
                found = [found]
            if not isinstance(found, list) or not found:
                self.wrong(f"/{name}", "must be an array with at least one language")
                return ()
            for place, each in enumerate(found):
                self.known_language(each, f"/{name}/{place}")
            return tuple(dict.fromkeys(each for each in found if isinstance(each, str)))
        files = [file for meeting in meetings for file in _list(meeting.get("files")) if isinstance(file, dict)]
        told = [_language(file) for file in files]
        return tuple(dict.fromkeys(each for each in told if isinstance(each, str) and each)) or (self.usual.language,)

    def known_language(self, found: Any, path: str) -> None:
        if found not in self.valid:
            self.wrong(path, f"must be one of: {', '.join(self.valid)}", LANGUAGE)

    def files(self, meetings: Sequence[Mapping[str, Any]], named: Sequence[str]) -> list[FileAsked]:
        """All files in order (R4.4)."""
        asked = []
        for number, meeting in enumerate(meetings):
            path = f"/meetings/{number}/files"
            found, mode = meeting.get("files"), meeting.get("aiGenerationMode")
            if mode is not None and not isinstance(mode, str):
                self.wrong(f"/meetings/{number}/aiGenerationMode", "must be a text")
            if not isinstance(found, list) or not found:
                self.wrong(path, "must be an array with one file")
                continue
            for place, file in enumerate(found):
                one = self.file(file, f"{path}/{place}", named, isinstance(mode, str) and mode in BY_HAND)
                asked += [one] if one is not None else []
        return asked

    def file(self, file: Any, path: str, named: Sequence[str], by_hand: bool) -> FileAsked | None:
        if not isinstance(file, dict):
            self.wrong(path, "must be an object")
            return None
        before = len(self.problems)
        name = self.text("file", f"{path}/file", file)
        if not name and len(self.problems) == before:
            self.wrong(f"{path}/file", "must name one of the files sent")
        language = _language(file)
        key = "baseLanguage" if "baseLanguage" in file else "sttLanguage"
        if language in (None, ""):
            language = named[0] if named else ""
        elif language not in self.valid:
            self.known_language(language, f"{path}/{key}")
        elif language not in named:
            self.wrong(f"{path}/{key}", "must be one of baseLanguages")
        return FileAsked(name, str(language), by_hand, path)

    def supervisor(self) -> dict[str, str]:
        usual = {"name": self.usual.supervisor_name, "email": self.usual.supervisor_email}
        found = self.task.get("supervisor")
        if found is None:
            return usual
        if not isinstance(found, dict):
            self.wrong("/supervisor", "must be an object with name and email")
            return usual
        name = self.text("name", "/supervisor/name", found)
        email = self.text("email", "/supervisor/email", found)
        if not email:
            return usual
        try:
            validate_email(email)
        except ValidationError:
            self.wrong("/supervisor/email", "must be an e-mail address")
        if len(email) > 254:
            self.wrong("/supervisor/email", "must be an e-mail address of at most 254 characters")
        return {"name": name, "email": email}

    def info(self) -> Mapping[str, Any]:
        """The object that ``genericAdditionalInfo`` is or spells (R4.6)."""
        path, found = "/genericAdditionalInfo", self.task.get("genericAdditionalInfo")
        if found is None:
            return {}
        if not isinstance(found, str | dict):
            self.wrong(path, "must be a JSON object, or a text that is one")
            return {}
        content = (found if isinstance(found, str) else _compact(found)).encode()
        if len(content) > MAX_INFO_BYTES:
            self.wrong(path, f"at most {MAX_INFO_BYTES} bytes of UTF-8, this has {len(content)}", TOO_LARGE)
            return {}
        try:
            held = parsed(content)
        except Malformed as error:
            self.wrong(path, f"{error}; quotes that a shell has eaten are the usual cause")
            return {}
        if not isinstance(held, dict):
            self.wrong(path, "must be a JSON object, not an array or a single value")
            return {}
        return held

    def extra(self) -> dict[str, Any]:
        """What we do not know is kept and echoed, up to a size."""
        found = {name: value for name, value in self.task.items() if name not in KNOWN | COMPUTED}
        if len(_compact(found).encode()) > MAX_EXTRA_BYTES:
            self.wrong("", f"docSections and other members: at most {MAX_EXTRA_BYTES} bytes in all")
        return found

    def kept(self, meeting: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of a meeting for people to see."""
        files = [
            {name: str(file[name])[:MAX_TEXT] for name in ("file", "baseLanguage", "sttLanguage") if name in file}
            for file in _list(meeting.get("files"))
            if isinstance(file, dict)
        ]
        mode = meeting.get("aiGenerationMode")
        return {"files": files} | ({"aiGenerationMode": mode[:MAX_TEXT]} if isinstance(mode, str) else {})


def _attributes(info: Mapping[str, Any]) -> dict[str, Any]:
    scalars = {f"miaop.{name}": value for name, value in info.items() if isinstance(value, str | int | float | bool)}
    return dict(list(scalars.items())[:MAX_ATTRIBUTES])


def _language(file: Mapping[str, Any]) -> Any:
    return file.get("baseLanguage") if file.get("baseLanguage") not in (None, "") else file.get("sttLanguage")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _compact(found: Any) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))

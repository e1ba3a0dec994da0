"""Reading the CSV file of an import: its shape, and what each cell may hold. No database."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import checked_key, key_of
from core.errors import InvalidInput
from core.exports import DANGEROUS_START
from core.names import name_problem
from licensing.models import Bundle
from tenants.models import validate_time_zone

COLUMNS = ("username", "full_name", "email", "role", "group", "licences", "time_zone", "enabled", "password")
TEXTS = {"username": 150, "full_name": 150, "email": 254, "role": 80, "group": 120, "time_zone": 64, "password": 1000}
NAMES = ("full_name", "group", "role")
MAX_BYTES = 20 * 1024 * 1024
MAX_LINES = 100_000
# Of the whole file, with the header and blank lines, which are left out: reading those takes its time, too.
MAX_PHYSICAL = MAX_LINES + 1000
TRUE, FALSE = {"1", "true", "yes", "enabled"}, {"0", "false", "no", "disabled"}


@dataclass(slots=True)
class Line:
    """One line: where it begins in the file, what its cells mean, and the first rule that it breaks."""

    number: int
    username: str
    values: dict[str, Any] = field(default_factory=dict)
    error: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """By what names are compared."""
        return key_of(self.username)


@dataclass(slots=True)
class Sheet:
    """A whole file. ``columns`` are those that it has: cells of others stay as they are stored."""

    digest: str
    columns: tuple[str, ...]
    lines: list[Line]


def read_sheet(file: IO[bytes], size: int) -> Sheet:
    """Read the file. Raises InvalidInput (field ``file``) for what makes the whole file unusable.

    Lines that break a rule carry their error; all others are as the database will take them.
    """
    if size > MAX_BYTES:
        raise InvalidInput("file", _("The file is too large: at most %(limit)s MB.") % {"limit": MAX_BYTES // 1024**2})
    data = file.read(MAX_BYTES + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInput("file", _("Line %(line)s is not UTF-8.") % {"line": line}) from error
    if text.count("\n") + text.count("\r") - text.count("\r\n") > MAX_PHYSICAL:
        message = _("The file has more than %(lines)s lines, blank ones included; at most %(limit)s of them are users.")
        raise InvalidInput("file", message % {"lines": f"{MAX_PHYSICAL:,}", "limit": f"{MAX_LINES:,}"})
    records = _records(text)
    columns = _columns(next(records, (1, []))[1])
    lines = list(_lines(records, columns))
    if not lines:
        raise InvalidInput("file", _("The file holds no user."))
    _mark_doubles(lines)
    return Sheet(hashlib.sha256(data).hexdigest(), columns, lines)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins: a line break in quotes belongs to its cell."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        begin = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            message = _("Line %(line)s is no CSV: %(reason)s.") % {"line": begin, "reason": error}
            raise InvalidInput("file", message) from error
        if cells is None:
            return
        yield begin, cells


def _columns(header: list[str]) -> tuple[str, ...]:
    columns = tuple(name.strip().casefold() for name in header)
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise InvalidInput(
            "file",
            _("There is no column “%(name)s”. The columns are %(all)s.")
            % {"name": unknown[0][:60], "all": ", ".join(COLUMNS)},
        )
    if len(set(columns)) != len(columns):
        raise InvalidInput("file", _("A column is there twice."))
    if "username" not in columns:
        raise InvalidInput("file", _("The column “username” is missing."))
    return columns


def _lines(records: Iterator[tuple[int, list[str]]], columns: tuple[str, ...]) -> Iterator[Line]:
    count = 0
    for number, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        if count > MAX_LINES:
            raise InvalidInput("file", _("The file has more than %(limit)s users.") % {"limit": f"{MAX_LINES:,}"})
        if len(cells) != len(columns):
            message = _("%(found)s cells instead of %(wanted)s.") % {"found": len(cells), "wanted": len(columns)}
            yield Line(number, cells[0].strip()[:150] if columns[0] == "username" else "", error=("line", message))
            continue
        yield _line(number, dict(zip(columns, cells, strict=True)))


def _line(number: int, cells: Mapping[str, str]) -> Line:
    line = Line(number, cells["username"].strip()[:150])
    for name, cell in cells.items():
        try:
            line.values[name] = _value(name, cell if name == "password" else cell.strip())
        except InvalidInput as error:
            line.error = (error.field, error.message)
            break
    return line


def _value(name: str, cell: str) -> Any:
    """What the cell means. Raises InvalidInput with the column and its rule."""
    if "\x00" in cell:
        raise InvalidInput(name, _("A NUL character cannot be stored."))
    if name == "username" and cell.startswith(DANGEROUS_START):
        raise InvalidInput(name, _("A name must not begin with = + - @ or a tab: a spreadsheet would run it."))
    if name in TEXTS and len(cell) > TEXTS[name]:
        raise InvalidInput(name, _("At most %(limit)s characters.") % {"limit": TEXTS[name]})
    if name == "licences":
        return _licences(cell)
    if name == "enabled":
        return _enabled(cell)
    problem = name_problem(cell) if name in NAMES else _problem(name, cell)
    if problem:
        raise InvalidInput(name, problem)
    return cell


def _problem(name: str, cell: str) -> str:
    try:
        if name == "username":
            _username(cell)
        elif cell and name == "email":
            validate_email(cell)
        elif cell and name == "time_zone":
            _time_zone(cell)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


def _username(cell: str) -> None:
    if not cell:
        raise ValidationError(_("A user name is needed."))
    for validator in User._meta.get_field("username").validators:  # type: ignore[union-attr]
        validator(cell)
    checked_key(cell)


@lru_cache(maxsize=1024)
def _time_zone(name: str) -> None:
    validate_time_zone(name)


def _licences(cell: str) -> frozenset[Bundle]:
    codes = {code.strip().casefold() for code in cell.split(";")} - {""}
    unknown = sorted(codes - set(Bundle.values))
    if unknown:
        text = _("There is no licence “%(name)s”. The licences are %(all)s, with ; between.")
        raise InvalidInput("licences", text % {"name": unknown[0][:60], "all": ", ".join(Bundle.values)})
    return frozenset(Bundle(code) for code in codes)


def _enabled(cell: str) -> bool | None:
    word = cell.casefold()
    if word in TRUE or word in FALSE:
        return word in TRUE
    if not word:
        return None
    raise InvalidInput("enabled", _("Write yes or no."))


def _mark_doubles(lines: list[Line]) -> None:
    first: dict[str, int] = {}
    for line in lines:
        if not line.key:
            continue
        if line.key in first and line.error is None:
            text = _("The same user name as in line %(line)s, or one that looks like it.")
            line.error = ("username", text % {"line": first[line.key]})
        first.setdefault(line.key, line.number)

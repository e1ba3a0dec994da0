"""Importing threads from one file: a thread as JSON a line, or the e-mails of an mbox file.

Each thread is taken in, brought up to date or refused for itself, with field and rule; an e-mail that cannot be read is
refused for itself, and the others of its thread go in. Running again changes nothing that is there already.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from accounts.models import User
from conversations.import_reports import ALREADY, IMPORTED, REFUSED, UPDATED, ImportReport, Outcome
from conversations.strictjson import NotStrict, loads
from conversations.threads.mail import Correspondence, Letter, correspondences, read_letter, split_mbox, thread_values
from conversations.threads.reading import NewThread, new_thread, read_thread
from conversations.threads.services import Result, import_thread
from core.errors import Conflict, InvalidInput
from tenants.models import Tenant

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_LETTERS = 500_000
RESULTS = {Result.CREATED: IMPORTED, Result.UPDATED: UPDATED, Result.UNCHANGED: ALREADY}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thread of the file, made when its turn comes. ``make`` raises InvalidInput."""

    source: str
    make: Callable[[], NewThread]
    external_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailOptions:
    """What an mbox file does not tell: whose domains are the tenant's own, and the fields of all its threads."""

    domains: tuple[str, ...] = ()
    group: str = ""
    queue_name: str = ""
    language: str = ""


def choose_format(file: BinaryIO) -> str:
    """``mbox`` when the file begins like one, else ``jsonl``; the file stands at its begin afterwards."""
    begin = file.read(5)
    file.seek(0)
    return "mbox" if begin == b"From " else "jsonl"


def json_entries(file: BinaryIO, base_time: datetime | None) -> Iterator[Entry]:
    """The threads of a file of JSON lines; empty lines are left out."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        whole = line.endswith(b"\n") or len(line) <= MAX_LINE_BYTES
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES)):
            pass
        if line.strip() or not whole:
            yield _json_entry(f"line {number}", line if whole else None, base_time)


def _json_entry(source: str, line: bytes | None, base_time: datetime | None) -> Entry:
    try:
        if line is None:
            message = _("The line is larger than %(limit)d MB.") % {"limit": MAX_LINE_BYTES >> 20}
            raise InvalidInput("line", message)
        values = loads(line)
        if not isinstance(values, dict):
            raise InvalidInput("line", _("A line is one JSON object."))
    except NotStrict as error:
        return Entry(source, _raising(InvalidInput("line", str(error))))
    except InvalidInput as error:
        return Entry(source, _raising(error))
    return Entry(source, lambda: read_thread(values, base_time=base_time), str(values.get("external_id") or "")[:200])


def _raising(error: InvalidInput) -> Callable[[], NewThread]:
    def make() -> NewThread:
        raise error

    return make


class Mailbox:
    """The threads of an mbox file. The heads of all e-mails are in memory, their texts only one thread at a time."""

    def __init__(self, file: BinaryIO, tenant: Tenant, options: MailOptions) -> None:
        """Read the heads. Raises InvalidInput when there are too many e-mails or none."""
        self._file, self._options = file, options
        people = User.objects.filter(tenant=tenant).exclude(email="").order_by("username_key")
        self._usernames = {email.lower(): name for email, name in people.values_list("email", "username")}
        letters: list[Letter] = []
        self.broken: list[Entry] = []
        self._numbers: dict[int, int] = {}
        for number, (place, content) in enumerate(split_mbox(file), start=1):
            if number > MAX_LETTERS:
                message = _("The file has more than %(limit)s messages; split it.") % {"limit": f"{MAX_LETTERS:,}"}
                raise InvalidInput("file", message)
            self._numbers[place] = number
            try:
                letters.append(read_letter(content, place))
            except InvalidInput as error:
                self.broken.append(Entry(f"message {number}", _raising(error)))
        if not self._numbers:
            raise InvalidInput("file", _("This is not an mbox file, or it is empty."))
        self._groups = correspondences(letters)

    def entries(self) -> list[Entry]:
        """The threads by the time of their first message, then what cannot be read."""
        threads = [
            Entry(f"message {self._numbers[group.letters[0].place]}", self._maker(group), external_id_of(group.root))
            for group in self._groups
        ]
        return threads + self.broken

    def _maker(self, group: Correspondence) -> Callable[[], NewThread]:
        return lambda: self._thread(group)

    def _thread(self, group: Correspondence) -> NewThread:
        options = self._options
        subject, people, messages = thread_values(
            group, self._content_at, agents=self._usernames.keys(), domains=options.domains
        )
        writers = (self._usernames.get(message.sender, "") for message in messages)
        return new_thread(
            channel="email",
            subject=subject,
            participants=people,
            messages=messages,
            external_id=external_id_of(group.root),
            username=next(filter(None, writers), ""),
            group=options.group,
            queue_name=options.queue_name,
            language=options.language,
        )

    def _content_at(self, place: int) -> bytes:
        self._file.seek(place)
        return next(split_mbox(self._file))[1]


def external_id_of(root: str) -> str:
    """The external id of an e-mail thread: the message id of its first e-mail, or the digest of a very long one."""
    plain = f"<{root}>"
    fits = len(plain) <= 200 and plain.isprintable()
    return plain if fits else f"<sha256:{hashlib.sha256(root.encode('utf-8', 'replace')).hexdigest()}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadImport:
    """How a file is imported: into ``tenant`` (entered already), for ``actor``."""

    tenant: Tenant
    actor: str
    dry_run: bool = False

    def run(self, entries: Any, progress: Callable[[Outcome], None]) -> ImportReport:
        """Take every entry; ``progress`` hears of each outcome. A stop in between loses nothing that was done."""
        report = ImportReport(things="threads", updates=True)
        for entry in entries:
            outcome = self._take(entry)
            report.outcomes.append(outcome)
            progress(outcome)
        return report

    def _take(self, entry: Entry) -> Outcome:
        try:
            thread = entry.make()
            done = import_thread(
                tenant=self.tenant, thread=thread, actor=self.actor, source="import", dry_run=self.dry_run
            )
        except InvalidInput as error:
            return Outcome(entry.source, entry.external_id, REFUSED, error.field, error.message)
        except Conflict as error:
            return Outcome(entry.source, entry.external_id, REFUSED, "external_id", error.message)
        return Outcome(entry.source, thread.external_id, RESULTS[done.result])

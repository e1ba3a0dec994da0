"""Changes to offline tasks: submitting and archiving. Each is one transaction with its audit row."""

import secrets
import string
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from accounts.realms.models import RealmSetting
from audit.services import append
from conversations.metadata import CLOCK_SKEW, EARLIEST, CallMetadata
from conversations.models import Recording
from conversations.services import clean_label
from conversations.together import NewCall, taking_in
from miaop.errors import ApiError, Detail
from miaop.matching import Mismatch, match_files
from miaop.models import Meeting, Task
from miaop.shown import meeting_id
from miaop.submission import Submission
from tenants.models import Tenant

ID_CHARACTERS, ID_LENGTH = string.ascii_lowercase + string.digits, 16
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that came: its name, where it is until the request is over, its size in bytes and its SHA-256."""

    name: str
    path: Path
    size: int
    sha256: str


def new_task_id() -> str:
    """An id for a task whose submitter names none (4.2): 16 characters a-z and 0-9."""
    return "".join(secrets.choice(ID_CHARACTERS) for _character in range(ID_LENGTH))


def submit(
    *, tenant: Tenant, caller: User, submission: Submission, sent: Sequence[Sent], languages: dict[str, str]
) -> Task:
    """Store a task with its files as conversations that wait for their transcription (R4.8); in the entered tenant.

    The same id with the same content is the task that is there (A24). ``languages``: tags by names. Raises ApiError
    when names and files do not match, a file is empty, the quota is used up, or the id is taken by another content;
    nothing is stored then.
    """
    files = _matched(submission, sent)
    digest = submission.digest([file.sha256 for file in files])
    known = _known(submission.task_id, digest)
    if known is not None:
        return known
    _within_quota(tenant, sum(file.size for file in files))
    owner = _owner(tenant, submission.supervisor_email)
    task = Task(
        task_id=submission.task_id or new_task_id(),
        name=submission.name,
        digest=digest,
        members=submission.members,
        base_languages=list(submission.languages),
        supervisor_name=submission.supervisor_name,
        supervisor_email=submission.supervisor_email,
        submitted_by=caller,
        owner=owner,
    )
    calls = _calls(tenant, task, caller, submission, files, languages)
    try:
        _store(tenant, caller, task, submission, calls)
    except IntegrityError:
        # Somebody stored the same id between our look and our insert.
        known = _known(submission.task_id, digest)
        if known is None:
            raise
        return known
    return task


def _matched(submission: Submission, sent: Sequence[Sent]) -> list[Sent]:
    """The files in the order of the meetings (R4.5)."""
    names = [file.name for file in submission.files]
    try:
        files = [sent[place] for place in match_files(names, [file.name for file in sent])]
    except Mismatch as error:
        missing = [
            Detail(f"{submission.files[place].path}/file", "no file of this name was sent") for place in error.missing
        ]
        left = [
            Detail("", f"the file “{clean_label(sent[place].name)}” is asked for by no meeting") for place in error.left
        ]
        unclear = [Detail("", "the names do not tell which file is which")]
        message = "The files sent are not those of the meetings."
        raise ApiError(400, "FILE_MISMATCH", message, details=[*missing, *left] or unclear) from None
    empty = [
        Detail(f"{asked.path}/file", "the file is empty")
        for asked, file in zip(submission.files, files, strict=True)
        if not file.size
    ]
    if empty:
        raise ApiError(400, "EMPTY_FILE", "A file is empty.", details=empty)
    return files


def _known(task_id: str, digest: str) -> Task | None:
    """The task that has this id already. Raises ApiError 409 when it is another one."""
    found: Task | None = Task.objects.filter(task_id=task_id).first() if task_id else None
    if found is not None and found.digest != digest:
        raise ApiError(409, "TASK_EXISTS", "There is another task with this id.")
    return found


def _within_quota(tenant: Tenant, coming: int) -> None:
    megabytes = RealmSetting.objects.filter(tenant=tenant).values_list("storage_megabytes", flat=True).first()
    if megabytes is None:
        return
    held = Recording.objects.aggregate(total=Sum("bytes_plain"))["total"] or 0
    if held + coming > megabytes * MEGABYTE:
        raise ApiError(413, "QUOTA_EXCEEDED", f"The tenant has room for {megabytes} MB of audio.")


def _owner(tenant: Tenant, email: str) -> User | None:
    """The active user with the supervisor's address; the oldest of several (4.2)."""
    if not email:
        return None
    people = User.objects.filter(tenant=tenant, is_active=True, email__iexact=email)
    return people.order_by("created_at", "pk").first()


def _calls(
    tenant: Tenant,
    task: Task,
    caller: User,
    submission: Submission,
    files: Sequence[Sent],
    languages: dict[str, str],
) -> list[NewCall]:
    now = timezone.now()
    started = submission.started_at
    if started is None or not EARLIEST <= started <= now + CLOCK_SKEW - timedelta(minutes=1):
        started = now
    user = task.owner or (caller if caller.tenant_id == tenant.pk else None)
    return [
        NewCall(
            CallMetadata(
                external_id=f"miaop:{number}.{task.task_id}",
                started_at=started,
                group=user.group if user is not None else "",
                language=languages[asked.language],
            ),
            user,
            file.path,
            file.sha256,
            asked.name,
            submission.attributes,
            asked.ai_on_request,
        )
        for number, (asked, file) in enumerate(zip(submission.files, files, strict=True), start=1)
    ]


def _store(tenant: Tenant, caller: User, task: Task, submission: Submission, calls: Sequence[NewCall]) -> None:
    with taking_in(tenant=tenant, calls=calls) as stored:
        task.save(force_insert=True)
        Meeting.objects.bulk_create(
            Meeting(task=task, number=number, file=asked.name, base_language=asked.language, call=call)
            for number, (asked, call) in enumerate(zip(submission.files, stored, strict=True), start=1)
        )
        append(
            tenant_id=tenant.pk,
            actor=caller.actor,
            action="miaop.submitted",
            target_type="offline_task",
            target_id=str(task.pk),
            details={"task": task.task_id, "files": len(stored), "source": "miaop"},
        )


def archive_tasks(*, tenant: Tenant, caller: User, tasks: Collection[Task], archived: bool) -> int:
    """Archive tasks of the entered tenant or take them back; those that are already so stay as they are.

    Returns how many changed; each has its audit row. Archived tasks can be read by their id as before (A26).
    """
    changed = 0
    with transaction.atomic():
        for task in sorted(tasks, key=lambda each: each.pk):
            # The row in its old state, or nothing.
            if not Task.objects.filter(pk=task.pk, archived=not archived).update(archived=archived, changed_at=Now()):
                continue
            changed += 1
            append(
                tenant_id=tenant.pk,
                actor=caller.actor,
                action="miaop.archived" if archived else "miaop.unarchived",
                target_type="offline_task",
                target_id=str(task.pk),
                details={"task": task.task_id},
            )
    return changed


@transaction.atomic
def note_reading(*, tenant: Tenant, reader: User, meeting: Meeting) -> None:
    """Keep in the audit trail who read the transcript of a meeting (R3.6); in the entered tenant."""
    append(
        tenant_id=tenant.pk,
        actor=reader.actor,
        action="miaop.transcript_read",
        target_type="call",
        target_id=str(meeting.call_id),
        details={"meeting": meeting_id(meeting)},
    )

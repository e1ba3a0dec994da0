"""Submitting (E2), and archiving, which is ours."""

import logging
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.permissions import Permission
from accounts.realms.access import Caller
from accounts.realms.answers import answer
from accounts.realms.tokens import realm_of
from miaop.access import endpoint
from miaop.errors import ApiError, Detail
from miaop.finding import task_named, tenants_of
from miaop.rates import SUBMISSIONS, count
from miaop.receiving.parsing import Received, received
from miaop.services import Sent, archive_tasks, submit
from miaop.submission import Defaults, read_submission, task_object
from tenants.doors import enter
from tenants.models import Tenant
from transcription.languages.selectors import languages_for, usual_language

logger = logging.getLogger(__name__)


@endpoint("POST", right=Permission.MIAOP_SUBMIT)
def hrec(request: HttpRequest, caller: Caller) -> HttpResponse:
    """E2: the task with its files; answered when all of it is stored, before any transcription (R4.8)."""
    count(caller, SUBMISSIONS)
    with received(request) as body:
        return answer({"taskId": _taken(caller, body)})


def _taken(caller: Caller, body: Received) -> str:
    task = task_object(body.task)
    tenant = _tenant(caller, task.get("tenant"))
    languages = dict(languages_for(tenant))
    zone, user = ZoneInfo(tenant.time_zone), caller.user
    usual = Defaults(usual_language(tenant, languages), user.full_name, user.email, zone, timezone.now())
    submission = read_submission(task, languages=list(languages), usual=usual)
    if submission.started_at is None and task.get("taskCreationTime") not in (None, ""):
        logger.warning("A task came with a creation time that cannot be read")
    sent = [Sent(blob.name, blob.path, blob.size, blob.sha256) for blob in body.blobs]
    with enter(tenant):
        stored = submit(tenant=tenant, caller=user, submission=submission, sent=sent, languages=languages)
    return stored.task_id


def _tenant(caller: Caller, named: object) -> Tenant:
    """Whose task it is (4.2). Raises ApiError: 403 for another tenant, 400 when platform staff name none that there is."""
    if named in (None, ""):
        if caller.system:
            wrong = [Detail("/tenant", "is needed from a system user")]
            raise ApiError(400, "INVALID_TASK", "Task metadata is invalid.", details=wrong)
        return caller.tenant
    if not isinstance(named, str):
        raise ApiError(400, "INVALID_TASK", "Task metadata is invalid.", details=[Detail("/tenant", "must be a text")])
    if not caller.system and named != realm_of(caller.tenant):
        raise ApiError(403, "TENANT_MISMATCH", "The task names another tenant than the one that you signed in to.")
    found = tenants_of(caller, named)
    if not found:
        wrong = [Detail("/tenant", "there is no such tenant")]
        raise ApiError(400, "UNKNOWN_TENANT", "There is no such tenant.", details=wrong)
    return found[0]


@endpoint("POST", right=Permission.MIAOP_SUBMIT)
def archive(request: HttpRequest, caller: Caller, task_id: str) -> HttpResponse:
    """Put a task away; ours."""
    return _archived(request, caller, task_id, archived=True)


@endpoint("POST", right=Permission.MIAOP_SUBMIT)
def unarchive(request: HttpRequest, caller: Caller, task_id: str) -> HttpResponse:
    """Take a task back; ours."""
    return _archived(request, caller, task_id, archived=False)


def _archived(request: HttpRequest, caller: Caller, task_id: str, *, archived: bool) -> HttpResponse:
    with task_named(caller, task_id, request.GET.get("tenant", "")) as found:
        archive_tasks(tenant=found.tenant, caller=caller.user, tasks=[found.task], archived=archived)
        return answer({"taskId": found.task.task_id, "archive": archived})

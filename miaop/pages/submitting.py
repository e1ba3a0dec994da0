"""The page that submits a task: one request with all files, which works without scripts too."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.permissions import Permission
from accounts.policy import requires, viewer
from conversations.uploads import FORM_BYTES
from core.middleware import error_response, wants_json
from miaop.errors import ApiError
from miaop.models import Task
from miaop.pages.forms import SubmitForm
from miaop.pages.views import TITLE
from miaop.services import Sent, new_task_id, submit
from miaop.submission import Defaults, read_submission
from tenants.doors import current_tenant
from transcription.languages.selectors import languages_for, usual_language

# The field that a refusal of the rules of the API is about.
FIELDS = {
    "ADDITIONAL_INFO_TOO_LARGE": "info",
    "UNSUPPORTED_LANGUAGE": "language",
    "EMPTY_FILE": "audio",
    "FILE_MISMATCH": "audio",
    "QUOTA_EXCEEDED": "audio",
}


# Exempt only here, on the outside: the middleware would read the whole body before the size is judged (3C11).
@csrf_exempt
@requires(Permission.MIAOP_SUBMIT)
@require_http_methods(["GET", "HEAD", "POST"])
def submit_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, or take a task in. JSON callers get ``url`` of the task (201) or ``errors`` by field (422)."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > settings.MIAOP_MAX_FILE_BYTES + FORM_BYTES:
        message = _("At most %(size)s can be sent at once.") % {"size": filesizeformat(settings.MIAOP_MAX_FILE_BYTES)}
        return error_response(request, 413, message, code="too_large")
    return _submit(request)


@csrf_protect
def _submit(request: HttpRequest) -> HttpResponse:
    languages = dict(languages_for(current_tenant()))
    usual = usual_language(current_tenant(), languages)
    if request.method != "POST":
        return _page(request, SubmitForm(languages=languages, usual=usual))
    form = SubmitForm(request.POST, request.FILES, languages=languages, usual=usual)
    if form.is_valid():
        try:
            task = _taken(request, form, languages)
        except ApiError as error:
            _refused(form, error, request.POST)
        else:
            return _done(request, task)
    if wants_json(request):
        errors = [{"field": name, "message": str(text)} for name, texts in form.errors.items() for text in texts]
        body = {"ok": False, "message": errors[0]["message"], "errors": errors, "task_id": form["task_id"].value()}
        return JsonResponse(body, status=422)
    return _page(request, form, status=422)


def _refused(form: SubmitForm, error: ApiError, posted: QueryDict) -> None:
    """Say at its field what the rules of the API say; a form that was taken before gets a new id."""
    if error.code == "TASK_EXISTS":
        renewed = posted.copy()
        renewed["task_id"] = new_task_id()
        form.data = renewed
        form.add_error(
            None,
            _(
                "This form was submitted before, with other values: that task is in the list. Submit again for another one."
            ),
        )
        return
    texts = [error.message, *(detail.message for detail in error.details[:5])]
    form.add_error(FIELDS.get(error.code), " ".join(texts))


def _done(request: HttpRequest, task: Task) -> HttpResponse:
    url = reverse("offline:task", args=[task.pk])
    messages.success(request, _("The task “%(name)s” was submitted.") % {"name": task.name})
    return JsonResponse({"ok": True, "url": url}, status=201) if wants_json(request) else redirect(url)


def _taken(request: HttpRequest, form: SubmitForm, languages: Mapping[str, str]) -> Task:
    tenant, user = current_tenant(), viewer(request)
    zone = ZoneInfo(tenant.time_zone)
    usual = Defaults(usual_language(tenant, languages), user.full_name, user.email, zone, timezone.now())
    submission = read_submission(form.task(), languages=list(languages), usual=usual)
    with _on_disk(form.names(), form.cleaned_data["audio"]) as sent:
        return submit(tenant=tenant, caller=user, submission=submission, sent=sent, languages=dict(languages))


@contextmanager
def _on_disk(names: Sequence[str], files: Sequence[UploadedFile]) -> Iterator[list[Sent]]:
    """The files as the service takes them; small ones, which came in memory, are written first."""
    with TemporaryDirectory(prefix="parlance-task-") as folder:
        sent = []
        for number, (name, file) in enumerate(zip(names, files, strict=True)):
            kept = isinstance(file, TemporaryUploadedFile)
            path = Path(file.temporary_file_path()) if kept else Path(folder) / str(number)  # type: ignore[attr-defined]
            digest = hashlib.sha256()
            if not kept:
                path.write_bytes(b"".join(file.chunks()))
            for piece in file.chunks():
                digest.update(piece)
            sent.append(Sent(name, path, file.size or 0, digest.hexdigest()))
        yield sent


def _page(request: HttpRequest, form: SubmitForm, *, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "title": _("Submit Offline Task"),
        "breadcrumbs": [(TITLE, reverse("offline:tasks")), (_("Submit"), None)],
        "form": form,
        "limits": _limits(),
        "cancel_url": reverse("offline:tasks"),
    }
    return render(request, "miaop/submit.html", context, status=status)


def _limits() -> dict[str, Any]:
    values = {"files": settings.MIAOP_MAX_FILES, "size": filesizeformat(settings.MIAOP_MAX_FILE_BYTES)}
    label = _("At most %(files)d files of %(size)s together.") % values
    return {"bytes": settings.MIAOP_MAX_FILE_BYTES, "files": settings.MIAOP_MAX_FILES, "label": label}

"""The upload page: one or several files, each stored or refused for itself."""

import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.permissions import Permission
from accounts.policy import requires, viewer
from conversations.forms import UploadForm
from conversations.metadata import CallMetadata
from conversations.models import Call
from conversations.services import clean_label, ingest_call
from core.errors import InvalidInput
from core.middleware import error_response, wants_json
from tenants.doors import current_tenant

FORM_BYTES = 1024 * 1024


# Exempt only here, on the outside: the middleware would read the whole body before the size is judged (3C11).
@csrf_exempt
@requires(Permission.CALLS_UPLOAD)
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponseBase:
    """Show the form, or take files in. JSON callers get one result a file: 201 when all are stored, else 422."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > settings.MAX_AUDIO_BYTES + FORM_BYTES:
        message = _("At most %(size)d MB can be sent at once.") % {"size": settings.MAX_AUDIO_BYTES // 1024**2}
        return error_response(request, 413, message, code="too_large")
    return _upload(request)


@csrf_protect
def _upload(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, UploadForm())
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        if wants_json(request):
            errors = [{"field": name, "message": str(text)} for name, texts in form.errors.items() for text in texts]
            first = errors[0]["message"]
            return JsonResponse({"ok": False, "message": first, "errors": errors, "results": []}, status=422)
        return _page(request, form, status=422)
    results = [_take(request, form, file) for file in form.files_chosen()]
    stored = all(result["ok"] for result in results)
    if wants_json(request):
        return JsonResponse({"ok": stored, "results": results}, status=201 if stored else 422)
    if not stored:
        return _page(request, form, status=422, results=results)
    text = ngettext("%(count)d call was stored.", "%(count)d calls were stored.", len(results))
    messages.success(request, text % {"count": len(results)})
    return redirect(results[0]["url"] if len(results) == 1 else reverse("conversations:calls"))


def _take(request: HttpRequest, form: UploadForm, file: UploadedFile) -> dict[str, Any]:
    """Store one file; the answer about it, never an exception for what is wrong with it."""
    name = clean_label(file.name or "")
    try:
        # The made-up external id differs from file to file.
        call = _store(request, form.metadata(), file, name)
    except InvalidInput as error:
        broken = {"field": error.field, "message": error.message}
        return {"name": name, "ok": False, "message": error.message, "errors": [broken], "url": ""}
    return {"name": name, "ok": True, "message": "", "url": reverse("conversations:call", args=[call.pk])}


def _store(request: HttpRequest, metadata: CallMetadata, file: UploadedFile, label: str) -> Call:
    user = viewer(request)
    with tempfile.TemporaryDirectory(prefix="parlance-upload-") as folder:
        if isinstance(file, TemporaryUploadedFile):
            path = Path(file.temporary_file_path())
        else:
            path = Path(folder) / "audio"
            with path.open("wb") as copy:
                for piece in file.chunks():
                    copy.write(piece)
        return ingest_call(
            tenant=current_tenant(),
            metadata=metadata,
            audio_path=path,
            label=label,
            actor=user.actor,
            source="upload",
        )


def _page(
    request: HttpRequest, form: UploadForm, *, status: int = 200, results: list[dict[str, Any]] | None = None
) -> HttpResponse:
    context = {
        "title": _("Upload calls"),
        "breadcrumbs": [(_("Conversations"), reverse("conversations:calls")), (_("Upload"), None)],
        "form": form,
        "limit_label": _("At most %(size)d MB.") % {"size": settings.MAX_AUDIO_BYTES // 1024**2},
        "results": results,
        "calls_url": reverse("conversations:calls"),
    }
    return render(request, "conversations/upload.html", context, status=status)

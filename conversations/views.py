"""The calls list, the call page and what belongs to it. Thin: rules are in selectors, services and filters."""

import re
import uuid
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.permissions import Permission
from accounts.policy import requires, viewer
from audit.services import Answer, seen
from conversations import selectors
from conversations.audio import AudioUnavailable, extension_of, open_reader, unpack_peaks
from conversations.bulk.deeds import DEEDS, TEXT_EVENTS
from conversations.codec import spans_of
from conversations.exports import EXPORTS
from conversations.fields.list_filters import listed_fields
from conversations.filters import CallFilter
from conversations.models import Call, Recording, TranscriptionState
from conversations.shown import call_context
from conversations.streaming import audio_response
from conversations.tables import CallTable
from conversations.texts import thread_data
from conversations.threads.exports import THREAD_EXPORTS
from conversations.threads.shown import thread_context
from core.errors import Conflict
from core.pages import ListPage, with_query
from core.tables import PageTable
from customfields.models import CustomField
from queues.selectors import listening
from tenants.doors import current_tenant
from tenants.keys import data_key

# How long the ranges of a recording belong to the playing that began.
PLAYING = timedelta(hours=1)
VIEW_CALLS = (Permission.CALLS_VIEW_OWN, Permission.CALLS_VIEW_OTHERS)


class CallList(ListPage):
    """The calls and threads that the viewer may see; a search shows the place in the text where it hit."""

    title = gettext_lazy("Conversations")
    template_name = "conversations/call_list.html"
    table_class = CallTable
    filterset_class = CallFilter
    live = True

    def get_queryset(self) -> QuerySet[Call]:
        """Own, group's or all."""
        calls = selectors.with_health(selectors.visible_calls(viewer(self.request)))
        return calls.annotate(messages=F("thread__message_count"), subject=F("thread__subject"))

    def table_arguments(self) -> dict[str, Any]:
        """The custom fields that are columns; check boxes for those who may act on calls."""
        return {"fields": self.fields, "may_act": bool(self.deeds())}

    @cached_property
    def fields(self) -> list[CustomField]:
        """Those that the viewer may see."""
        return listed_fields(viewer(self.request))

    def deeds(self) -> list[dict[str, Any]]:
        """The bulk actions that the viewer has a right to."""
        return [
            {"name": name, "label": deed.label, "icon": deed.icon, "danger": deed.danger}
            for name, deed in DEEDS.items()
            if deed.held_by(viewer(self.request))
        ]

    def bulk_url(self) -> str:
        """Tags, process again, delete."""
        return reverse("conversations:calls_bulk")

    def more_context(self) -> dict[str, Any]:
        """The bulk actions of the viewer."""
        url = with_query(self.bulk_url(), self.request.GET)
        return {"bulk_actions": self.deeds(), "bulk_url": url}

    def paged(self, rows: QuerySet[Any]) -> tuple[PageTable, dict[str, Any]]:
        """The page, with subjects and extracts for those whose text the viewer may read."""
        table, context = super().paged(rows)
        text = self.request.GET.get("q", "").strip()
        if isinstance(table, CallTable):
            shown = [row.record for row in table.paginated_rows]
            table.readable = {found.pk for found in shown if selectors.may_read(viewer(self.request), found)}
            table.snippets = selectors.snippets(table.readable, text) if text and table.readable else {}
        return table, context

    def actions(self) -> list[dict[str, Any]]:
        """Upload, for those who may."""
        if not viewer(self.request).has(Permission.CALLS_UPLOAD):
            return []
        return [{"label": _("Upload"), "url": reverse("conversations:upload"), "icon": "upload", "primary": True}]

    def empty(self) -> dict[str, Any]:
        """The first call."""
        empty = {
            "icon": "phone",
            "title": _("No conversations yet"),
            "text": _("Calls, chats, e-mails and tickets appear here as soon as they are taken in."),
        }
        if viewer(self.request).has(Permission.CALLS_UPLOAD):
            empty |= {"url": reverse("conversations:upload"), "label": _("Upload calls")}
        return empty


@requires(*VIEW_CALLS)
@require_safe
def call(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The page of a call (player, transcript, facts, processing) or of a thread (messages and facts)."""
    found = selectors.call_for(viewer(request), pk)
    if found.is_written:
        context = thread_context(viewer(request), found, found.thread) | {"analyse": _analysable(request, found)}
        response = render(request, "conversations/thread_detail.html", context)
        return _seen(response, "thread.read", found) if context["may_read"] else response
    context = call_context(viewer(request), found, selectors.recording_for(found), selectors.current_transcript(found))
    response = render(request, "conversations/call_detail.html", context | {"analyse": _analysable(request, found)})
    return _seen(response, "transcript.read", found) if context["turns"] else response


def _analysable(request: HttpRequest, call: Call) -> bool:
    """Whether the viewer may have AI tasks asked about the conversation again, and a queue would tell a job of it."""
    deed = DEEDS["analyse"]
    has_text = call.is_written or call.transcription_state == TranscriptionState.COMPLETED
    may = has_text and selectors.may(viewer(request), call, own=deed.own, others=deed.others)
    return may and bool(listening(current_tenant(), TEXT_EVENTS[call.is_written]))


@requires(*VIEW_CALLS)
@require_safe
def call_audio(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The audio, decrypted, by range; ``?download=1`` as a file, which is a right of its own."""
    found = selectors.call_for(viewer(request), pk)
    download = request.GET.get("download") == "1"
    if download:
        _need(request, selectors.may_download(viewer(request), found), *TO_DOWNLOAD)
    else:
        _need(request, selectors.may_play(viewer(request), found), *TO_PLAY)
    recording = _recording(found)
    if recording.problem and not download:
        raise Http404
    try:
        reader = open_reader(recording.storage_key, data_key(current_tenant()))
    except AudioUnavailable as error:
        raise Conflict(_("The stored audio cannot be read.")) from error
    response = audio_response(
        request,
        reader,
        mime=recording.mime,
        filename=_file_name(found, extension_of(recording.mime)),
        etag=str(recording.pk),
        attachment=download,
    )
    # A player asks for one recording in many ranges: the first is one row, and later ones another only if it is missing.
    begins = request.headers.get("Range", "bytes=0-").replace(" ", "").lower().startswith("bytes=0-")
    action = "recording.downloaded" if download else "recording.played"
    return _seen(response, action, found, once=None if begins else PLAYING)


@requires(*VIEW_CALLS)
@require_safe
def call_peaks(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Loudness of each channel over time, 0-100, for the player's picture."""
    found = selectors.call_for(viewer(request), pk)
    _need(request, selectors.may_play(viewer(request), found), *TO_PLAY)
    recording = _recording(found)
    return JsonResponse({"duration_ms": recording.duration_ms, "peaks": unpack_peaks(bytes(recording.peaks))})


@requires(Permission.TRANSCRIPT_VIEW)
@require_safe
def call_words(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Word timings of each turn: [start ms, end ms, first character, end character], counted in code points."""
    data = _transcript(request, selectors.call_for(viewer(request), pk))
    turns = [
        [[span.start_ms, span.end_ms, span.char_start, span.char_end] for span in spans_of(turn)]
        for turn in data.segments
    ]
    return JsonResponse({"turns": turns})


@requires(Permission.TRANSCRIPT_VIEW)
@require_safe
def call_transcript(request: HttpRequest, pk: uuid.UUID, extension: str) -> HttpResponse:
    """The transcript as TXT, SRT, VTT or JSON."""
    found = selectors.call_for(viewer(request), pk)
    data = _transcript(request, found)
    written = EXPORTS[extension]
    response = HttpResponse(written.write(data), content_type=written.mime)
    response["Content-Disposition"] = content_disposition_header(True, _file_name(found, extension)) or "attachment"
    return _seen(response, "transcript.read", found, file=extension)


@requires(Permission.TRANSCRIPT_VIEW)
@require_safe
def call_thread(request: HttpRequest, pk: uuid.UUID, extension: str) -> HttpResponse:
    """The messages as TXT or JSON."""
    found = selectors.call_for(viewer(request), pk)
    _need(request, selectors.may_read(viewer(request), found), *TO_PLAY)
    if not found.is_written:
        raise Http404
    written = THREAD_EXPORTS[extension]
    response = HttpResponse(written.write(thread_data(found.thread)), content_type=written.mime)
    response["Content-Disposition"] = content_disposition_header(True, _file_name(found, extension)) or "attachment"
    return _seen(response, "thread.read", found, file=extension)


def _seen(response: Answer, action: str, found: Call, once: timedelta | None = None, **details: str) -> Answer:
    """Mark the answer for the audit trail; the external id says to people which call it was."""
    return seen(
        response,
        action=action,
        target_type="thread" if found.is_written else "call",
        target_id=str(found.pk),
        once=once,
        call=found.external_id,
        **details,
    )


TO_PLAY = (Permission.CALLS_PLAYBACK_OWN, Permission.CALLS_PLAYBACK_OTHERS)
TO_DOWNLOAD = (Permission.CALLS_DOWNLOAD_OWN, Permission.CALLS_DOWNLOAD_OTHERS)


def _need(request: HttpRequest, held: bool, *permissions: str) -> None:
    if not held:
        raise PermissionDenied(viewer(request).lacking(*permissions))


def _recording(found: Call) -> Recording:
    recording = selectors.recording_for(found)
    if recording is None:
        raise Http404
    return recording


def _transcript(request: HttpRequest, found: Call) -> Any:
    _need(request, selectors.may_read(viewer(request), found), *TO_PLAY)
    transcript = selectors.current_transcript(found)
    if transcript is None:
        raise Http404
    return selectors.transcript_data(transcript)


def _file_name(found: Call, extension: str) -> str:
    """A name for saving: the external id, as far as every file system takes it."""
    stem = re.sub(r"[^\w.-]+", "-", found.external_id).strip("-.")[:100]
    return f"{stem or found.pk}.{extension}"

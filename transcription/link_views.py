"""The address of a recording, as a vendor fetches it: without a session, by what is signed in the path alone."""

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from conversations.audio import AudioUnavailable
from conversations.streaming import audio_response
from core.policy import public
from transcription.links import NoSuchLink, open_link
from transcription.testing import SAMPLE


@public
@require_safe
def linked_audio(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """Bytes of the recording, by range where they are asked for. Everything that is refused is the same 404."""
    try:
        found = open_link(token, reading=request.method != "HEAD")
    except (NoSuchLink, AudioUnavailable):
        raise Http404 from None
    if found is None:
        return FileResponse(SAMPLE.open("rb"), content_type="audio/ogg")
    return audio_response(
        request, found.reader, mime=found.mime, filename=name, etag=str(found.recording_id), attachment=False
    )

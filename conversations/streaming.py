"""Serving stored audio over HTTP with byte ranges (RFC 9110 §14), decrypted on the way out.

The body is produced after the tenant's door has closed: it holds an open file and a key, never the ORM.
"""

import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from core.files import EncryptedReader

_RANGE = re.compile(r"bytes=\s*(\d{0,15})-(\d{0,15})\s*\Z", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range begins behind the end: 416."""


def wanted_range(header: str, size: int) -> tuple[int, int] | None:
    """The first and last byte that a ``Range`` header asks for, or None for the whole file.

    A header in a form that we do not serve (several ranges, another unit, nonsense) counts as none, as the standard
    allows. Raises Unsatisfiable.
    """
    found = _RANGE.match(header)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if int(last) == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - int(last)), size - 1
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return int(first), min(int(last) if last else size - 1, size - 1)


class _Body:
    """The bytes of a range; closes the file when the response is closed, whether it was read or not."""

    def __init__(self, reader: EncryptedReader, start: int, length: int) -> None:
        self._reader = reader
        self._pieces = reader.read_range(start, length)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Called by Django at the end of the response."""
        self._reader.close()


def audio_response(
    request: HttpRequest, reader: EncryptedReader, *, mime: str, filename: str, etag: str, attachment: bool
) -> HttpResponseBase:
    """200, 206 or 416 for a GET or HEAD of the reader's file; takes over the reader."""
    etag = f'"{etag}"'
    header = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        header = ""
    response: HttpResponseBase
    try:
        part = wanted_range(header, reader.size)
    except Unsatisfiable:
        reader.close()
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{reader.size}"
        response["Accept-Ranges"] = "bytes"
        return response
    first, last = part or (0, reader.size - 1)
    if request.method == "HEAD":
        reader.close()
        response = HttpResponse(status=206 if part else 200)
    else:
        response = StreamingHttpResponse(_Body(reader, first, last - first + 1), status=206 if part else 200)
    response["Content-Type"] = mime
    response["Content-Length"] = str(last - first + 1)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = content_disposition_header(attachment, filename) or "inline"
    if part:
        response["Content-Range"] = f"bytes {first}-{last}/{reader.size}"
    return response

"""Reading the multipart body of a submission: files to the disk, hashed on the way, the rest in small (R4.1, R4.2)."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from core.files import NO_ROOM
from miaop.errors import ApiError
from miaop.receiving.incoming import Incoming, sweep
from miaop.receiving.watching import WatchedBody, connection_of
from miaop.submission import MAX_TASK_BYTES

FILE_PARTS, TASK_PART = frozenset({"soundBlob", "soundBlob[]"}), "task"
# A body of unknown length is read to its end.
UNKNOWN_LENGTH = str(2**62)


@dataclass(slots=True)
class Blob:
    """One file that came: its name as sent, its bytes on disk, their SHA-256 in hexadecimal."""

    name: str
    file: Incoming
    size: int = 0
    sha256: str = ""

    @property
    def path(self) -> Path:
        """Where it is until the request is over."""
        return self.file.path


@dataclass(slots=True)
class Received:
    """What a body held: the text of the part ``task`` and the files in their order."""

    task: bytes
    blobs: list[Blob] = field(default_factory=list)


@contextmanager
def received(request: HttpRequest) -> Iterator[Received]:
    """Read the body; its files are there inside the block and gone behind it. Raises ApiError."""
    if request.content_type != "multipart/form-data":
        raise ApiError(415, "NOT_MULTIPART", "Send multipart/form-data with the parts task and soundBlob.")
    handler = _Handler()
    try:
        sweep()
        yield _read(request, handler)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise ApiError(
                503, "STORAGE_FULL", "There is no room for the files now.", headers={"Retry-After": "300"}
            ) from error
        raise
    finally:
        for blob in handler.blobs:
            blob.file.close()


def _read(request: HttpRequest, handler: "_Handler") -> Received:
    meta = dict(request.META)
    chunked = bool(meta.get("wsgi.input_terminated")) and not meta.get("CONTENT_LENGTH")
    if chunked:
        meta["CONTENT_LENGTH"] = UNKNOWN_LENGTH
    body: Any = meta["wsgi.input"] if chunked else request
    with WatchedBody(body, connection_of(request.META)) as watched:
        try:
            fields, _files = MultiPartParser(meta, cast(Any, watched), [handler], "utf-8").parse()
        except (MultiPartParserError, RequestDataTooBig, TooManyFieldsSent) as error:
            _timely(watched)
            raise ApiError(400, "INVALID_MULTIPART", "The body is not valid multipart/form-data.") from error
        except UnreadablePostError as error:
            raise ApiError(400, "INVALID_MULTIPART", "The body broke off.") from error
        except TooManyFilesSent:
            raise _too_many() from None
        _timely(watched)
        if not watched.complete((request.content_params or {}).get("boundary", "")):
            raise ApiError(400, "INVALID_MULTIPART", "The body broke off: it does not end with its boundary.")
    texts = [text.encode("utf-8", "surrogatepass") for text in fields.getlist(TASK_PART)] + handler.tasks
    if len(texts) != 1:
        raise ApiError(400, "INVALID_MULTIPART", "The part task is needed, once.")
    return Received(texts[0], handler.blobs)


def _timely(watched: WatchedBody) -> None:
    if watched.late:
        raise ApiError(408, "UPLOAD_TOO_SLOW", "The upload took too long.")


def _too_many() -> ApiError:
    return ApiError(400, "TOO_MANY_FILES", f"At most {settings.MIAOP_MAX_FILES} files in one task.")


class _Handler(FileUploadHandler):
    """Takes all parts with a file name; Django never sees a file."""

    chunk_size = 64 * 1024

    def __init__(self) -> None:
        super().__init__()
        self.blobs: list[Blob] = []
        self.tasks: list[bytes] = []
        self._hash: Any = None
        self._task: bytearray | None = None
        self._open: Blob | None = None

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        """One part begins."""
        super().new_file(field_name, file_name, *args, **kwargs)
        self._open = self._task = None
        if field_name == TASK_PART:
            self._task = bytearray()
        elif field_name in FILE_PARTS:
            if len(self.blobs) >= settings.MIAOP_MAX_FILES:
                raise _too_many()
            self._open = Blob(file_name, Incoming())
            self.blobs.append(self._open)
            self._hash = hashlib.sha256()
        else:
            raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never more than the limits, at the byte that crosses them."""
        if self._task is not None:
            self._task += raw_data
            if len(self._task) > MAX_TASK_BYTES:
                raise ApiError(400, "INVALID_TASK", f"The part task may have at most {MAX_TASK_BYTES} bytes.")
        elif self._open is not None:
            if self._open.size + len(raw_data) > settings.MIAOP_MAX_FILE_BYTES:
                raise ApiError(413, "FILE_TOO_LARGE", f"A file may have at most {settings.MIAOP_MAX_FILE_BYTES} bytes.")
            self._open.file.write(raw_data)
            self._open.size += len(raw_data)
            self._hash.update(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile | None:
        """One part is over."""
        if self._task is not None:
            self.tasks.append(bytes(self._task))
        elif self._open is not None:
            self._open.sha256 = self._hash.hexdigest()
        self._open = self._task = None
        return None

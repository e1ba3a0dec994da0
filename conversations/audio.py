"""Stored audio: encrypted with the tenant's data key, one file a recording, read by range or from start to end.

Works in threads and after the tenant's door has closed: nothing here touches the ORM.
"""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import default_storage

from core.crypto import DecryptionFailed
from core.files import EncryptedReader, save_encrypted

_EXTENSIONS = {"audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/flac": "flac"}
_KEY = re.compile(r"audio/[0-9a-f-]{36}/([0-9a-f-]{36})\.bin\Z")


class AudioUnavailable(Exception):
    """The stored file is gone, damaged or not ours to read. Says no more on purpose."""


def extension_of(mime: str) -> str:
    """The file name's extension, without a dot, for a stored recording's MIME type; ``bin`` for an unknown one."""
    return _EXTENSIONS.get(mime, "bin")


def storage_key(tenant_id: uuid.UUID, recording_id: uuid.UUID) -> str:
    """The name of a recording's file in the audio store."""
    return f"{tenant_folder(tenant_id)}/{recording_id}.bin"


def tenant_folder(tenant_id: uuid.UUID) -> str:
    """The folder of a tenant in the audio store."""
    return f"audio/{tenant_id}"


def recording_of(key: str) -> uuid.UUID:
    """The recording that a file belongs to. Raises AudioUnavailable for a name that is none of ours."""
    found = _KEY.match(key)
    if found is None:
        raise AudioUnavailable("This is not the name of a recording.")
    return uuid.UUID(found[1])


def save_recording(source: Path, key: str, data_key: bytes) -> int:
    """Encrypt the file into the audio store; return its plain length in bytes.

    The recording's id goes into the encryption: a file that was swapped for another one does not open.
    Raises OSError, leaving nothing behind that anybody refers to.
    """
    with source.open("rb") as plain:
        name, stored = save_encrypted(default_storage, key, plain, data_key=data_key, context=recording_of(key).bytes)
    if name != key:
        default_storage.delete(name)
        raise FileExistsError(f"There is a file of this name already: {key}")
    return stored.bytes_plain


def open_reader(key: str, data_key: bytes) -> EncryptedReader:
    """A seekable reader of the plain audio, for ranges; the caller closes it.

    Raises AudioUnavailable when the file is missing, was changed, or belongs to another key.
    """
    try:
        fileobj = default_storage.open(key, "rb")
    except OSError as error:
        raise AudioUnavailable("The audio file is missing.") from error
    try:
        return EncryptedReader(cast(BinaryIO, fileobj), data_key, recording_of(key).bytes)
    except DecryptionFailed as error:
        fileobj.close()
        raise AudioUnavailable("The audio file cannot be decrypted.") from error


def read_recording(key: str, data_key: bytes) -> Iterator[bytes]:
    """Yield the plain audio in pieces of at most 64 KiB. Raises AudioUnavailable, at the first piece or later."""
    with open_reader(key, data_key) as reader:
        try:
            yield from reader.iter_chunks()
        except DecryptionFailed as error:
            raise AudioUnavailable("The audio file was changed.") from error


def delete_recording(key: str) -> None:
    """Delete the file; a missing one is fine."""
    default_storage.delete(key)


def pack_peaks(peaks: list[list[int]]) -> bytes:
    """Peaks (0-100, one list a channel, all of one length) as one byte each after the number of channels."""
    return bytes([len(peaks), *(value for channel in peaks for value in channel)])


def unpack_peaks(packed: bytes) -> list[list[int]]:
    """The lists that ``pack_peaks`` took; no channel when there is nothing."""
    if len(packed) < 2:
        return []
    channels, values = packed[0], packed[1:]
    length = len(values) // channels
    return [list(values[number * length : (number + 1) * length]) for number in range(channels)]

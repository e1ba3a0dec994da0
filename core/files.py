"""Encrypted files: chunked AES-256-GCM for audio at rest (security D1), in constant memory, readable by range.

Layout: header (magic, version, salt), then chunks of 64 KiB plaintext, each with its tag. Every file has its own key,
derived from the data key, the salt and the caller's context. A chunk's nonce is its index and whether it is the last
one, so swapping, dropping, repeating or cutting off chunks is found. An empty file has one empty chunk.
"""

import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.files.base import File

from core.crypto import KEY_BYTES, TAG_BYTES, DecryptionFailed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from django.core.files.storage import Storage

CHUNK_BYTES = 64 * 1024
# A disk, a quota or a limit of the process is used up: nobody did anything wrong, and later it may work.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_MAGIC = b"PRLF"
_VERSION = 1
_SALT_BYTES = 32
_HEADER_BYTES = len(_MAGIC) + 1 + _SALT_BYTES
_STORED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES


@dataclass(frozen=True)
class Stored:
    """What went into an encrypted file: plaintext length in bytes and its SHA-256 (hex)."""

    bytes_plain: int
    sha256: str


def encrypt_stream(src: BinaryIO, dst: BinaryIO, data_key: bytes, context: bytes) -> Stored:
    """Encrypt ``src`` (read to its end) into ``dst``. Holds at most two chunks in memory."""
    salt = os.urandom(_SALT_BYTES)
    header = _MAGIC + bytes([_VERSION]) + salt
    cipher = _file_cipher(data_key, salt, context)
    dst.write(header)
    digest = hashlib.sha256()
    total, index = 0, 0
    chunk = _read_full(src)
    while True:
        # Only the look-ahead tells whether this chunk is the last one, which its nonce must say.
        following = _read_full(src) if len(chunk) == CHUNK_BYTES else b""
        digest.update(chunk)
        total += len(chunk)
        dst.write(cipher.encrypt(_nonce(index, last=not following), chunk, header))
        if not following:
            return Stored(total, digest.hexdigest())
        chunk = following
        index += 1


class EncryptedReader(io.RawIOBase):
    """A seekable, read-only view of the plaintext of one encrypted file.

    Opening authenticates the last chunk, so ``size`` (bytes) can be trusted and a file cut short is refused at once.
    Every read raises :class:`~core.crypto.DecryptionFailed` when it meets a byte that was changed.
    Closing the reader closes the file below.
    """

    def __init__(self, fileobj: BinaryIO, data_key: bytes, context: bytes) -> None:
        super().__init__()
        self._file = fileobj
        self._position = 0
        self._cached: tuple[int, bytes] = (-1, b"")
        fileobj.seek(0)
        self._header = fileobj.read(_HEADER_BYTES)
        if len(self._header) != _HEADER_BYTES or self._header[: len(_MAGIC) + 1] != _MAGIC + bytes([_VERSION]):
            raise DecryptionFailed
        self._cipher = _file_cipher(data_key, self._header[len(_MAGIC) + 1 :], context)
        body = fileobj.seek(0, os.SEEK_END) - _HEADER_BYTES
        self._chunks = -(-body // _STORED_CHUNK_BYTES)
        self.size = body - self._chunks * TAG_BYTES
        if self._chunks < 1 or self.size < 0:
            raise DecryptionFailed
        self._chunk(self._chunks - 1)

    def read_range(self, start: int, length: int) -> Iterator[bytes]:
        """Yield the bytes from ``start``, at most ``length`` of them, in pieces of at most 64 KiB.

        Ends early at the end of the file. Raises ValueError for negative numbers.
        """
        if start < 0 or length < 0:
            raise ValueError("A byte range starts at 0 or later and has no negative length.")
        return self._pieces(start, min(start + length, self.size))

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the whole plaintext in pieces of at most 64 KiB."""
        return self._pieces(0, self.size)

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def tell(self) -> int:
        """Return the position in the plaintext (bytes)."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move in the plaintext (bytes); raises ValueError for a position before the start."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("The position is before the start of the file.")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill ``buffer`` from the position, up to the end of one chunk; 0 at the end of the file."""
        view = memoryview(buffer).cast("B")
        piece = next(self.read_range(self._position, len(view)), b"")
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Close this reader and the file below."""
        if not self.closed:
            self._file.close()
        super().close()

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            index, offset = divmod(start, CHUNK_BYTES)
            piece = self._chunk(index)[offset : offset + end - start]
            yield piece
            start += len(piece)

    def _chunk(self, index: int) -> bytes:
        if self._cached[0] == index:
            return self._cached[1]
        self._file.seek(_HEADER_BYTES + index * _STORED_CHUNK_BYTES)
        stored = _read_full(self._file, _STORED_CHUNK_BYTES)
        last = index == self._chunks - 1
        try:
            plain = self._cipher.decrypt(_nonce(index, last=last), stored, self._header)
        except (InvalidTag, ValueError) as exc:
            raise DecryptionFailed from exc
        if not last and len(plain) != CHUNK_BYTES:
            # The file shrank after it was opened.
            raise DecryptionFailed
        self._cached = (index, plain)
        return plain


def save_encrypted(
    storage: "Storage", name: str, src: BinaryIO, *, data_key: bytes, context: bytes
) -> tuple[str, Stored]:
    """Encrypt ``src`` into ``storage`` and return (name the storage gave, facts about the plaintext).

    Only ciphertext touches a disk: the temporary file holds the encrypted form.
    """
    with tempfile.TemporaryFile() as encrypted:
        stored = encrypt_stream(src, encrypted, data_key, context)
        encrypted.seek(0)
        return storage.save(name, File(encrypted)), stored


@contextmanager
def open_encrypted(storage: "Storage", name: str, *, data_key: bytes, context: bytes) -> Iterator[EncryptedReader]:
    """Open a file of :func:`save_encrypted`; closed at the end of the block.

    Raises FileNotFoundError, or :class:`~core.crypto.DecryptionFailed` for another key or context, or a changed file.
    """
    with storage.open(name, "rb") as fileobj, EncryptedReader(cast(BinaryIO, fileobj), data_key, context) as reader:
        yield reader


def _file_cipher(data_key: bytes, salt: bytes, context: bytes) -> AESGCM:
    key = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"parlance/file\x00" + context).derive(data_key)
    return AESGCM(key)


def _nonce(index: int, *, last: bool) -> bytes:
    return index.to_bytes(11, "big") + bytes([last])


def _read_full(src: BinaryIO, length: int = CHUNK_BYTES) -> bytes:
    """Read exactly ``length`` bytes or up to the end: sockets and raw files may return less than asked."""
    parts: list[bytes] = []
    while length > 0:
        part = src.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)

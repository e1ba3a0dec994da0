"""Encrypted files: what went in comes out, by range too, and no change to the stored bytes goes unseen."""

import hashlib
import io
import os
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from hypothesis import given, settings
from hypothesis import strategies as st

from core.crypto import DecryptionFailed, new_data_key
from core.files import CHUNK_BYTES, EncryptedReader, encrypt_stream, open_encrypted, save_encrypted

KEY = new_data_key()
CONTEXT = b"tenant-a/audio"
STORED_CHUNK = CHUNK_BYTES + 16
EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 7]


def encrypted(plain: bytes, context: bytes = CONTEXT) -> bytes:
    target = io.BytesIO()
    stored = encrypt_stream(io.BytesIO(plain), target, KEY, context)
    assert (stored.bytes_plain, stored.sha256) == (len(plain), hashlib.sha256(plain).hexdigest())
    return target.getvalue()


def decrypted(blob: bytes, key: bytes = KEY, context: bytes = CONTEXT) -> bytes:
    return b"".join(EncryptedReader(io.BytesIO(blob), key, context).iter_chunks())


@pytest.mark.parametrize("length", EDGES)
def test_every_length_comes_back_whole(length: int) -> None:
    plain = os.urandom(length)
    reader = EncryptedReader(io.BytesIO(encrypted(plain)), KEY, CONTEXT)
    assert reader.size == length
    assert b"".join(reader.iter_chunks()) == plain


LONG = os.urandom(2 * CHUNK_BYTES + 1000)
LONG_BLOB = encrypted(LONG)


@settings(max_examples=60)
@given(st.integers(0, len(LONG) + 100), st.integers(0, len(LONG) + 100))
def test_a_range_is_the_same_slice_of_the_plaintext(start: int, length: int) -> None:
    reader = EncryptedReader(io.BytesIO(LONG_BLOB), KEY, CONTEXT)
    assert b"".join(reader.read_range(start, length)) == LONG[start : start + length]
    reader.seek(start)
    assert reader.read(length) == LONG[start : start + length][: CHUNK_BYTES - start % CHUNK_BYTES]


def test_a_negative_range_is_refused_and_seek_works_from_all_three_ends() -> None:
    reader = EncryptedReader(io.BytesIO(LONG_BLOB), KEY, CONTEXT)
    for start, length in ((-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="range"):
            reader.read_range(start, length)
    assert reader.seek(-10, os.SEEK_END) == len(LONG) - 10
    assert reader.read() == LONG[-10:]
    assert reader.seek(-5, os.SEEK_CUR) == len(LONG) - 5
    with pytest.raises(ValueError, match="before the start"):
        reader.seek(-1)


@pytest.mark.parametrize("length", [0, 10, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
def test_a_file_cut_short_anywhere_is_refused_when_opened(length: int) -> None:
    blob = encrypted(os.urandom(length))
    cuts = {0, 1, 5, 37, 37 + 15, 37 + 16, 37 + STORED_CHUNK, 37 + 2 * STORED_CHUNK, len(blob) - 1, len(blob) - 16}
    for cut in sorted(cut for cut in cuts if 0 <= cut < len(blob)):
        with pytest.raises(DecryptionFailed):
            EncryptedReader(io.BytesIO(blob[:cut]), KEY, CONTEXT)
    with pytest.raises(DecryptionFailed):
        EncryptedReader(io.BytesIO(blob + b"x"), KEY, CONTEXT)


@settings(max_examples=60)
@given(st.integers(0, len(LONG_BLOB) - 1), st.integers(1, 255))
def test_any_changed_byte_is_found(position: int, change: int) -> None:
    blob = bytearray(LONG_BLOB)
    blob[position] ^= change
    with pytest.raises(DecryptionFailed):
        decrypted(bytes(blob))


def test_swapped_and_repeated_chunks_are_found() -> None:
    header, first, second, third = (
        LONG_BLOB[:37],
        *(LONG_BLOB[37 + i * STORED_CHUNK :][:STORED_CHUNK] for i in range(3)),
    )
    assert decrypted(header + first + second + third) == LONG
    for order in ((second, first, third), (first, first, third), (first, second), (second, third)):
        with pytest.raises(DecryptionFailed):
            decrypted(header + b"".join(order))


def test_a_chunk_of_another_file_with_the_same_key_is_found() -> None:
    other = encrypted(LONG)
    mixed = LONG_BLOB[: 37 + STORED_CHUNK] + other[37 + STORED_CHUNK :]
    with pytest.raises(DecryptionFailed):
        decrypted(mixed)


def test_another_key_or_context_does_not_open_the_file() -> None:
    assert decrypted(LONG_BLOB) == LONG
    with pytest.raises(DecryptionFailed):
        decrypted(LONG_BLOB, key=new_data_key())
    with pytest.raises(DecryptionFailed):
        decrypted(LONG_BLOB, context=b"tenant-b/audio")


def test_storage_holds_ciphertext_only_and_gives_the_plaintext_back(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path)
    plain = b"canary of tenant a " * 10_000
    name, stored = save_encrypted(storage, "a.audio", io.BytesIO(plain), data_key=KEY, context=CONTEXT)
    assert stored.bytes_plain == len(plain)
    assert b"canary" not in (tmp_path / name).read_bytes()
    with open_encrypted(storage, name, data_key=KEY, context=CONTEXT) as reader:
        assert b"".join(reader.iter_chunks()) == plain
    with pytest.raises(DecryptionFailed), open_encrypted(storage, name, data_key=KEY, context=b"other"):
        pass

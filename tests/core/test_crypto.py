"""Envelope encryption opens only with the same key, context and bytes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.crypto import DecryptionFailed, Keyring, KeyringInvalid, new_data_key, open_sealed, seal

OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()


@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_sealed_bytes_open_with_the_same_key_and_context(plaintext: bytes, context: bytes) -> None:
    key = new_data_key()
    assert open_sealed(key, seal(key, plaintext, context), context) == plaintext


def test_sealed_bytes_do_not_open_with_another_key_or_context() -> None:
    key = new_data_key()
    blob = seal(key, b"secret", b"tenant-a")
    assert open_sealed(key, blob, b"tenant-a") == b"secret"
    for other_key, other_context in ((new_data_key(), b"tenant-a"), (key, b"tenant-b")):
        with pytest.raises(DecryptionFailed):
            open_sealed(other_key, blob, other_context)


def test_every_changed_byte_and_every_cut_is_found() -> None:
    key = new_data_key()
    blob = seal(key, b"secret", b"c")
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(DecryptionFailed):
            open_sealed(key, bytes(changed), b"c")
        with pytest.raises(DecryptionFailed):
            open_sealed(key, blob[:position], b"c")


def test_wrapped_key_survives_rotation_until_the_old_master_key_is_retired() -> None:
    data_key = new_data_key()
    blob = Keyring.from_string(f"old:{OLD}").wrap(data_key, b"tenant-a")
    both = Keyring.from_string(f"new:{NEW}, old:{OLD}")
    assert both.unwrap(blob, b"tenant-a") == data_key
    assert not both.is_current(blob)
    rewrapped = both.wrap(data_key, b"tenant-a")
    assert both.is_current(rewrapped)
    only_new = Keyring.from_string(f"new:{NEW}")
    assert only_new.unwrap(rewrapped, b"tenant-a") == data_key
    with pytest.raises(DecryptionFailed):
        only_new.unwrap(blob, b"tenant-a")


def test_wrapped_key_is_bound_to_its_context_and_to_every_byte() -> None:
    keyring = Keyring.from_string(f"k1:{NEW}")
    blob = keyring.wrap(new_data_key(), b"tenant-a")
    with pytest.raises(DecryptionFailed):
        keyring.unwrap(blob, b"tenant-b")
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 0x80
        with pytest.raises(DecryptionFailed):
            keyring.unwrap(bytes(changed), b"tenant-a")
        with pytest.raises(DecryptionFailed):
            keyring.unwrap(blob[:position], b"tenant-a")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "id:base64"),
        ("nocolon", "id:base64"),
        (f"bad id:{NEW}", "id:base64"),
        ("k:%%%", "not base64"),
        (f"k:{base64.b64encode(b'short').decode()}", "5 bytes"),
        (f"k:{NEW},k:{OLD}", "twice"),
        (f"k:{NEW},", "key 2"),
    ],
)
def test_malformed_master_keys_are_refused_without_repeating_them(text: str, rule: str) -> None:
    with pytest.raises(KeyringInvalid, match=rule) as caught:
        Keyring.from_string(text)
    for secret in (NEW, OLD, "%%%"):
        assert secret not in str(caught.value)


def test_keys_do_not_show_in_a_repr() -> None:
    assert "nnnn" not in repr(Keyring.from_string(f"k:{NEW}"))

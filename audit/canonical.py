"""Canonical bytes of an entry, and its digest: the same before it is stored and after it was read back."""

import hashlib
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any, Final

import orjson

GENESIS = "0" * 64
LARGEST = 2**53
SECRET_SHOWN = "•••• changed"  # noqa: S105 - what stands in the trail instead of one


class _Secret:
    """Stands for a secret that was set or changed; the trail shows only that."""

    def __repr__(self) -> str:
        return SECRET_SHOWN


SECRET: Final = _Secret()


def plain(value: Any) -> Any:
    """``value`` in JSON types that PostgreSQL gives back as they went in.

    Numbers that it would write in another way become text, as does every other type; what no text column takes (NUL,
    lone surrogates) is replaced.
    """
    match value:
        case None | bool():
            return value
        case str():
            return clean(value)
        case int():
            return value if abs(value) < LARGEST else str(value)
        case float():
            # Adding zero makes one of the two zeros.
            return value + 0.0 if abs(value) < LARGEST and (value == 0 or abs(value) > 1e-6) else repr(value)
        case Mapping():
            return {clean(str(key)): plain(item) for key, item in value.items()}
        case Set():
            return sorted((plain(item) for item in value), key=str)
        case bytes() | bytearray() | memoryview():
            return SECRET_SHOWN
        case Sequence():
            return [plain(item) for item in value]
        case datetime() | date():
            return value.isoformat()
    return clean(str(value))


def clean(text: str) -> str:
    """``text`` (also a lazy or string-like one) as PostgreSQL can store it."""
    return str(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _address(text: str | None) -> str | None:
    """The one spelling of an address: PostgreSQL writes some of the sixth version in another way."""
    return str(ip_address(text)) if text and ":" in text else text


def digest(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the previous digest and every field of the row, in the form that the row names."""
    at: datetime = fields["at"]
    body = [
        fields["previous_digest"],
        str(fields["tenant_id"]),
        fields["position"],
        at.isoformat(),
        fields["actor"],
        fields["action"],
        fields["target_type"],
        fields["target_id"],
        fields["details"],
        fields["request_id"],
    ]
    if fields["form"] != 1:
        actor_tenant = fields["actor_tenant_id"]
        body += [
            fields["form"],
            str(actor_tenant) if actor_tenant else None,
            _address(fields["ip"]),
            fields["reason"],
            fields["before"],
            fields["after"],
        ]
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()

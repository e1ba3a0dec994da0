"""Proving a statement file: its bytes, its signature by a key of this installation, and its digest in the ledger."""

import uuid
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import ValidationError

from audit.models import SigningKey
from audit.signing import public_key_pem, verify
from tenants.models import Tenant
from usage.statements import FORMAT, FORMAT_VERSION, books_of, charged, is_canonical_base64, to_file, to_sign

FIELDS = {"format", "format_version", "algorithm", "key_id", "public_key", "payload", "signature"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, and whether it is as it must be. ``passed`` None: it could not be checked."""

    passed: bool | None
    text: str


def check_file(raw: bytes) -> list[Finding]:
    """Every check in order; the first that fails is the last. The file is proved when none failed."""
    document = _document(raw)
    if document is None:
        return [Finding(False, "The file is not a statement as it was written: a byte was changed, added or lost.")]
    findings = [Finding(True, "The file has the form of a statement.")]
    key_id = document["key_id"]
    if not SigningKey.objects.filter(pk=key_id).exists() or document["public_key"] != public_key_pem(key_id):
        return [*findings, Finding(False, "The key is not one of this installation.")]
    signature = document["signature"]
    if not is_canonical_base64(signature) or not verify(key_id, to_sign(document), signature):
        return [*findings, Finding(False, "The signature does not fit: the statement was changed after it was signed.")]
    findings.append(Finding(True, f"Signed by this installation with the key {key_id}."))
    return [*findings, *_in_ledger(document["payload"])]


def _document(raw: bytes) -> dict[str, Any] | None:
    """The file's document, if it is written in the one way in which statements are written."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or set(document) != FIELDS or to_file(document) != raw:
        return None
    texts = ("format", "algorithm", "key_id", "public_key", "signature")
    if not all(isinstance(document[name], str) for name in texts) or not isinstance(document["payload"], dict):
        return None
    known = (document["format"], document["format_version"], document["algorithm"])
    return document if known == (FORMAT, FORMAT_VERSION, "Ed25519") else None


def _in_ledger(said: dict[str, Any]) -> list[Finding]:
    """Compare with the ledger: the entries that the statement counts, and, of a final one, that there are no more."""
    try:
        tenant = Tenant.objects.filter(pk=uuid.UUID(said["tenant"]["id"])).first()
    except (ValueError, ValidationError):
        tenant = None
    if tenant is None:
        return [Finding(None, "The tenant is not in this database: the ledger was not compared.")]
    books = books_of(tenant.pk, said["period"], first=said["entries"])
    found = (books.entries, books.seconds, books.digest)
    if found != (said["entries"], said["charged_seconds"], said["entries_sha256"]):
        return [
            Finding(False, f"The ledger differs: {books.entries} entries, {books.seconds} s, digest {books.digest}.")
        ]
    text = f"The ledger has the same {books.entries} entries, {books.seconds} s, digest {books.digest}."
    more = charged(tenant.pk, said["period"]).count() - books.entries
    if more and said["status"] == "final":
        return [Finding(True, text), Finding(False, f"The ledger has {more} more entries of a month that was final.")]
    if more:
        text += f" The statement was preliminary; {more} entries were added since."
    return [Finding(True, text)]

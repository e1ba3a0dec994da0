"""What errors have in common: their text without all that differs from one record to the next."""

import hashlib
import re
from functools import lru_cache

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|`[^`]*`|(?<!\w)'[^']*'(?!\w)"), "<value>"),
    (re.compile(r"\[[0-9a-f:]*:[0-9a-f:.]*\](?::\d+)?", re.IGNORECASE), "<host>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<host>"),
    (re.compile(r"\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}(?::\d+)?\b", re.IGNORECASE), "<host>"),
    (re.compile(r"\blocalhost(?::\d+)?\b", re.IGNORECASE), "<host>"),
    (re.compile(r"\b(?:0x[0-9a-f]+|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,})\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\bparlance-[\w-]+"), "<id>"),
    (re.compile(r"(?<!HTTP )(?<!status )(?<!\d)\d+(?:[.,]\d+)*", re.IGNORECASE), "<n>"),
    (re.compile(r"\s+"), " "),
)
LENGTH = 12


@lru_cache(maxsize=4096)
def signature_of(error: str) -> tuple[str, str]:
    """The key (12 hexadecimal digits) and the text of what ``error`` has in common with its like; empty for none.

    Addresses, hosts and ports, ids, times, quoted values and numbers are left out; the status of an answer ("HTTP 503")
    stays, because it tells causes apart.
    """
    text = error
    for pattern, name in PATTERNS:
        text = pattern.sub(name, text)
    text = text.strip()
    if not text:
        return "", ""
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH], text[:500]

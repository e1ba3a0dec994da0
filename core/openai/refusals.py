"""What servers refuse, in our classes (providers §3.3, §3.6)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.openai.limits import Limits
from core.outbound import retry_after_s
from core.outcomes import EngineError, ErrorClass

_OVERFLOW = re.compile(
    r"(maximum|exceeds?( the)?( available)?|model's) context( length| size| window)?|context_length_exceeded"
    r"|exceed_context_size|context (length|size|window) (was |is )?exceeded|prompt is too long|too many tokens"
)
_WINDOW = re.compile(r"(?:context length is|context size \(|context window of|n_ctx[^0-9]{1,5})\s*\(?([0-9]{3,8})")
_DURATION = re.compile(r"(?:([0-9.]+)h)?(?:([0-9.]+)m(?!s))?(?:([0-9.]+)s)?(?:([0-9.]+)ms)?")
_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_FILTERED = {"content_filter", "content_policy_violation"}
MASK = "••••"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request, read: ``code`` and ``type`` are the server's, lower case, or empty."""

    status: int
    code: str
    type: str
    param: str
    message: str
    window: int | None
    retry_after: float | None

    @property
    def text(self) -> str:
        """Status, code and the server's words in one line."""
        label = self.code or self.type
        return " ".join(part for part in (f"HTTP {self.status}", label, self.message) if part)

    @property
    def filtered(self) -> bool:
        """The provider's own filter refused the text: that is an answer, not an error."""
        return self.status == 400 and (self.code in _FILTERED or self.type in _FILTERED)

    @property
    def overflows(self) -> bool:
        """The prompt is too long."""
        text = f"{self.code} {self.type} {self.message}".lower()
        return self.status in {400, 413, 422, 500} and bool(_OVERFLOW.search(text))

    def names(self, *words: str) -> bool:
        """A 400 or 422 that is about one of these parameters."""
        text = f"{self.param} {self.message}".lower()
        return self.status in {400, 404, 422} and any(word in text for word in words)

    @property
    def bad_schema(self) -> bool:
        """The schema itself was refused, which says nothing about what the server can do."""
        text = self.message.lower()
        return "invalid schema" in text or self.code == "invalid_json_schema"


def read_refusal(status: int, body: bytes, headers: Mapping[str, str], secrets: Iterable[str]) -> Refusal:
    """Read the body of any vendor: nested, flat, FastAPI's, Azure's gateway, HTML. Secrets are masked."""
    error = _error_of(body)
    code, kind, param = (str(error.get(name) or "").strip()[:200] for name in ("code", "type", "param"))
    message = error.get("message")
    shown = message if isinstance(message, str) else ""
    if code.isdigit():
        code = ""
    for secret in secrets:
        shown, code, kind, param = (text.replace(secret, MASK) for text in (shown, code, kind, param))
    return Refusal(
        status=status,
        code=code.lower(),
        type=kind.lower(),
        param=param.lower(),
        message=shown[:1000],
        window=_window(error, shown),
        retry_after=retry_after(headers),
    )


def error_of(refusal: Refusal) -> EngineError:
    """The one error of a refusal; the class by status, and by code where the status says too little."""
    code = refusal.code or refusal.type or str(refusal.status)
    return EngineError(_class(refusal), refusal.text, code=code, retry_after=refusal.retry_after)


def _class(refusal: Refusal) -> ErrorClass:
    status = refusal.status
    if status == 429:
        return ErrorClass.CONFIG if {refusal.code, refusal.type} & _QUOTA else ErrorClass.RATE
    if status in {401, 403, 404}:
        return ErrorClass.CONFIG
    if status in {408, 409} or status >= 500:
        return ErrorClass.TRANSIENT
    if refusal.code in {"model_not_found", "deploymentnotfound"}:
        return ErrorClass.CONFIG
    # Also for a schema that is refused: it belongs to one task, and must not stop the engine for all.
    return ErrorClass.INPUT if 400 <= status < 500 else ErrorClass.CONFIG


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(data, dict):
        return {}
    error = data.get("error", data)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error and "detail" in error:
        return {**error, "message": _detail(error["detail"])}
    return error


def _detail(detail: Any) -> str:
    """FastAPI: a text, or a list of where and what."""
    if isinstance(detail, str):
        return detail
    if not isinstance(detail, list):
        return ""
    lines = [item for item in detail if isinstance(item, dict)]
    return "; ".join(f"{_place(line.get('loc'))}: {line.get('msg', '')}" for line in lines[:5])


def _place(location: Any) -> str:
    return ".".join(str(part) for part in location) if isinstance(location, list) else ""


def _window(error: Mapping[str, Any], message: str) -> int | None:
    said = error.get("n_ctx")
    if isinstance(said, int) and 256 <= said <= 100_000_000:
        return said
    found = _WINDOW.search(message)
    return int(found[1]) if found else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The hint of a 429 or 503 in seconds; the time of the reset when there is no other."""
    hint = retry_after_s({"Retry-After": headers.get("retry-after-ms", "")})
    if hint is not None:
        return hint / 1000
    hint = retry_after_s(headers)
    if hint is not None:
        return hint
    limits = read_limits(headers)
    empty = [
        reset
        for left, reset in (
            (limits.requests_left, limits.requests_reset_s),
            (limits.tokens_left, limits.tokens_reset_s),
        )
        if left == 0 and reset is not None
    ]
    return max(empty, default=None)


def read_limits(headers: Mapping[str, str]) -> Limits:
    """The rate headers; what cannot be read was not said."""
    return Limits(
        requests=_whole(headers.get("x-ratelimit-limit-requests")),
        requests_left=_whole(headers.get("x-ratelimit-remaining-requests")),
        requests_reset_s=duration_s(headers.get("x-ratelimit-reset-requests")),
        tokens=_whole(headers.get("x-ratelimit-limit-tokens")),
        tokens_left=_whole(headers.get("x-ratelimit-remaining-tokens")),
        tokens_reset_s=duration_s(headers.get("x-ratelimit-reset-tokens")),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,15}", text) else None


def duration_s(text: str | None) -> float | None:
    """Seconds of "120ms", "1s", "6m0s" or a bare number; None for what is none of these."""
    if not text:
        return None
    try:
        found = _DURATION.fullmatch(text.strip())
        if found and any(found.groups()):
            hours, minutes, seconds, thousandths = (float(part or 0) for part in found.groups())
            return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
        return max(float(text), 0.0)
    except ValueError:
        return None

"""Errors of the contract as ``application/problem+json``: one table says which code has which status."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web

PROBLEM_TYPE = "application/problem+json"

# code -> (status, title)
CODES: dict[str, tuple[int, str]] = {
    "invalid_request": (400, "Invalid request"),
    "unauthorized": (401, "Not authorised"),
    "forbidden": (403, "Forbidden"),
    "not_found": (404, "Not found"),
    "not_ready": (409, "Not ready"),
    "idempotency_conflict": (409, "Idempotency conflict"),
    "payload_too_large": (413, "Payload too large"),
    "unsupported_media_type": (415, "Unsupported media"),
    "unprocessable_audio": (422, "Unprocessable audio"),
    "transcription_failed": (422, "Transcription failed"),
    "rate_limited": (429, "Rate limited"),
    "quota_exceeded": (429, "Quota exceeded"),
    "internal": (500, "Internal error"),
    "busy": (503, "Busy"),
}


@dataclass(frozen=True)
class FieldError:
    """One refused field: its dotted name and the rule it broke."""

    field: str
    message: str


class Problem(Exception):
    """A refusal with a code of the contract; the middleware turns it into a problem+json reply.

    ``retry_after`` is in seconds. ``extra`` is merged into the body (for example the failed job).
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        extra: dict[str, object] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        self.extra = extra or {}
        self.status = status or CODES[code][0]

    def response(self, request_id: str) -> web.Response:
        """The reply for this refusal."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": CODES[self.code][1],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "requestId": request_id,
            "errors": [{"field": error.field, "message": error.message} for error in self.errors],
        }
        body.update(self.extra)
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return web.Response(status=self.status, body=orjson.dumps(body), content_type=PROBLEM_TYPE, headers=headers)


def invalid(field: str, message: str) -> Problem:
    """A 400 that names one field and its rule."""
    return Problem("invalid_request", f"{field}: {message}", errors=[FieldError(field, message)])

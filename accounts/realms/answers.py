"""Answers of the identity facade: JSON without ASCII escapes, never cached, with CORS for the origins of a tenant (R1.3)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

NO_REALM = "Realm does not exist"


class Refusal(Exception):
    """An answer of the contract's table 2.3, raised where the rule is broken."""

    def __init__(
        self, status: int, error: str, description: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.description, self.headers = status, error, description, dict(headers or {})

    def answer(self) -> HttpResponse:
        """As the client gets it."""
        body = {"error": self.error} | ({"error_description": self.description} if self.description else {})
        return answer(body, status=self.status, headers=self.headers)


def answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """JSON in UTF-8."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = HttpResponse(text, content_type="application/json; charset=utf-8", status=status)
    response["Cache-Control"] = "no-store"
    response["Pragma"] = "no-cache"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def with_cors(request: HttpRequest, response: HttpResponse, origins: Sequence[str], methods: str) -> HttpResponse:
    """Let pages of these origins read the answer; credentials are never part of it, tokens travel in a header."""
    origin = request.headers.get("Origin", "")
    patch_vary_headers(response, ["Origin"])
    if origin and origin in origins:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Methods"] = methods
        response["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response["Access-Control-Expose-Headers"] = "X-Request-Id, X-Total-Count, Retry-After"
        if request.method == "OPTIONS":
            response["Access-Control-Max-Age"] = "600"
    return response

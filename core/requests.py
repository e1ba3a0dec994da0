"""Requests whose text is UTF-8, whatever they claim."""

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

UNREADABLE = "unreadable"


class Utf8Request(WSGIRequest):
    """A request that is never decoded by the charset its Content-Type names; CharsetMiddleware refuses such claims.

    Django takes that charset, and decodes the query string by it, while the request is being made: a codec that makes
    no text ("hex") fails there before any middleware, and others ("utf-7") let lone surrogates through.
    """

    _encoding = None

    @property
    def encoding(self) -> str | None:
        """Always UTF-8."""
        return "utf-8"

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        """What the client claims changes nothing."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]
        except ValueError:
            self.content_type, self.content_params = "", {"charset": UNREADABLE}


class Utf8Handler(WSGIHandler):
    """The WSGI application of Django with such requests. Made after ``django.setup()``."""

    request_class = Utf8Request

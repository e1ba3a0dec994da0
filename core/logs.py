"""What is known about the request in hand, for log lines, error pages and audit rows; one value a thread or task."""

import logging
import uuid
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
client_ip: ContextVar[str | None] = ContextVar("client_ip", default=None)
# The tenant of the signed-in user, not the one that is looked at.
acting_tenant: ContextVar[uuid.UUID | None] = ContextVar("acting_tenant", default=None)


class RequestIdFilter(logging.Filter):
    """Puts the current request id on each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ``record.request_id``; never drops a record."""
        record.request_id = request_id.get()
        return True


class SignedPathFilter(logging.Filter):
    """Keeps addresses that are as good as a key out of the log: what is behind ``MARK`` is left out."""

    MARK = "/x/stt-audio/"

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the path among the arguments; never drops a record."""
        if isinstance(record.args, tuple):
            record.args = tuple(self._shown(part) for part in record.args)
        return True

    def _shown(self, part: object) -> object:
        return self.MARK + "…" if isinstance(part, str) and self.MARK in part else part


class RefusalFilter(logging.Filter):
    """Keeps the traces of refused requests out of the log, so that those of errors can be found."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the trace from answers below 500; never drops a record."""
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
        return True

"""The errors of the API: codes that scripts may test for (section 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponse

from accounts.realms.answers import answer
from core.api_errors import api_error
from core.logs import request_id


@dataclass(frozen=True, slots=True)
class Detail:
    """What is wrong where: a JSON pointer into the task, and the rule."""

    path: str
    message: str


class ApiError(Exception):
    """Raised where a rule is broken; nothing was stored. ``headers`` go with the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details, self.headers = tuple(details), dict(headers or {})

    def answer(self) -> HttpResponse:
        """As the caller gets it."""
        details = [{"path": detail.path, "message": detail.message} for detail in self.details]
        members = {"details": details} if details else {}
        body = api_error(self.status, self.code, self.message, request_id.get(), **members)
        return answer(body, status=self.status, headers=self.headers)


def not_found() -> ApiError:
    """The same for what does not exist and what the caller may not see (R3.5)."""
    return ApiError(404, "NOT_FOUND", "There is nothing with this id.")

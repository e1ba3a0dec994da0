"""Errors in the vendor's shape."""

from aiohttp import web

STATUSES = {
    "INVALID_ARGUMENT": (400, 3),
    "UNAUTHENTICATED": (401, 16),
    "PERMISSION_DENIED": (403, 7),
    "NOT_FOUND": (404, 5),
    "RESOURCE_EXHAUSTED": (429, 8),
    "INTERNAL": (500, 13),
}


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def response(self) -> web.Response:
        """The answer."""
        code = STATUSES[self.status][0]
        error = {"code": code, "message": self.message, "status": self.status, "details": []}
        return web.json_response({"error": error}, status=code)

    @property
    def grpc(self) -> int:
        """The number in operations."""
        return STATUSES[self.status][1]

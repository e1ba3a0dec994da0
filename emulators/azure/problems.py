"""Errors in both of the vendor's shapes: the gateway's for keys, the service's for all else (providers §2.3)."""

from aiohttp import web

STATUSES = {
    "InvalidRequest": 400,
    "InvalidArgument": 400,
    "NotFound": 404,
    "UnsupportedMediaType": 415,
}


class Refused(Exception):
    """A request that the service answers with an error; ``inner`` says more."""

    def __init__(self, code: str, message: str, inner: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.inner = code, message, inner

    def response(self) -> web.Response:
        """The answer."""
        said: dict[str, object] = {"code": self.code, "message": self.message}
        if self.inner:
            said["innerError"] = {"code": self.inner, "message": self.message}
        return web.json_response(said, status=STATUSES[self.code])


def no_access() -> web.Response:
    """What the gateway says about a wrong key."""
    message = (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource."
    )
    return web.json_response({"error": {"code": "401", "message": message}}, status=401)

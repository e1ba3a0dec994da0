"""Errors in the words and shapes of each kind of server."""

from typing import Any

from aiohttp import web

from emulators.openai.settings import Flavour


class Refused(Exception):
    """A request that is answered with an error; the shape depends on the flavour."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.code, self.param = status, message, kind, code, param
        self.headers, self.extra = headers or {}, extra or {}

    def response(self, flavour: Flavour) -> web.Response:
        """The answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        if flavour == "vllm":
            # Older releases write the error flat, with the status as code.
            flat = {"object": "error", **error, "type": "BadRequestError", "param": None, "code": self.status}
            return web.json_response(flat, status=self.status, headers=self.headers)
        if flavour == "llamacpp":
            error = {"code": self.status, "message": self.message, "type": self.kind, **self.extra}
        if flavour == "azure":
            error = {"code": self.code or str(self.status), "message": self.message, **self.extra}
        if flavour == "plain":
            return web.json_response(
                {"detail": [{"loc": ["body", self.param or ""], "msg": self.message}]}, status=self.status
            )
        return web.json_response({"error": error}, status=self.status, headers=self.headers)


def overflow(flavour: Flavour, tokens: int, window: int) -> Refused:
    """The prompt is too long."""
    if flavour == "llamacpp":
        text = f"the request exceeds the available context size ({window} tokens), try increasing it"
        extra = {"n_prompt_tokens": tokens, "n_ctx": window}
        return Refused(400, text, kind="exceed_context_size_error", extra=extra)
    text = (
        f"This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
    return Refused(400, text, code="context_length_exceeded", param="messages")


def unknown_model(flavour: Flavour, name: str) -> Refused:
    """No such model or deployment."""
    if flavour == "azure":
        return Refused(404, "The API deployment for this resource does not exist.", code="DeploymentNotFound")
    return Refused(404, f"The model `{name}` does not exist or you do not have access to it.", code="model_not_found")


def wrong_key() -> Refused:
    """No key, or another one."""
    text = "Incorrect API key provided. You can find your API key in your account."
    return Refused(401, text, code="invalid_api_key")

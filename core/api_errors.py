"""The one shape of errors of the APIs: what went wrong as a name, as a code for scripts, and in words (section 8)."""

from http import HTTPStatus
from typing import Any

# Where the contract has another name than this Python has a phrase.
_PHRASES = {413: "Payload Too Large"}


def api_error(status: int, code: str, message: str, identity: str, **members: Any) -> dict[str, Any]:
    """The body of an answer with this ``status``; ``identity`` is the request's, ``members`` go into the error."""
    phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    name = phrase.replace(" ", "").removesuffix("Error") + "Error"
    return {
        "error": {"statusCode": status, "name": name, "code": code, "message": message, **members},
        "requestId": identity,
    }

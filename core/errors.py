"""Errors that a person caused or can mend. Each says what rule was broken; none carries a secret or a transcript."""


class ParlanceError(Exception):
    """Base of the errors that are shown to people. ``code`` is stable, ``message`` is for the reader."""

    code = "error"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = str(message)


class InvalidInput(ParlanceError):
    """A field breaks a rule. Nothing was stored."""

    code = "invalid_input"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class NotAllowed(ParlanceError):
    """The actor lacks a permission; the message names it."""

    code = "not_allowed"
    status = 403


class Conflict(ParlanceError):
    """The object is not, or no longer, in the state that the change needs."""

    code = "conflict"
    status = 409

"""Rules of the settings that all engines of OpenAI's protocol ask for; what breaks one raises ValueError, as pydantic wants it."""

import re

from pydantic import SecretStr


def plain_address(value: str) -> str:
    """An address without a slash at its end. Raises ValueError for queries, fragments and credentials."""
    value = value.strip().rstrip("/")
    if any(mark in value for mark in "?#@"):
        raise ValueError("Use an address without a query, a fragment or credentials.")
    return value


def printable_key(value: SecretStr | None) -> SecretStr | None:
    """The key, if there is one. Raises ValueError for what no header can carry."""
    if value is not None and not re.fullmatch(r"[!-~]*", value.get_secret_value()):
        raise ValueError("A key has no spaces and no characters outside ASCII.")
    return value

"""``config.env`` as scripts for this API have it, and the flags that stand above it."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stack.miaop_client.errors import LOCAL_TROUBLE, WRONG_USAGE, ClientError

KEYS = (
    "KEYCLOAK_BASE_URL",
    "API_BASE_URL",
    "TENANT",
    "USERNAME",
    "PASSWORD",
    "SUPERVISOR_EMAIL",
    "TASK_NAME",
    "FILES_DIR",
    "BASE_LANGUAGE",
    "GENERIC_ADDITIONAL_INFO",
)
NEEDED = ("KEYCLOAK_BASE_URL", "API_BASE_URL", "TENANT", "USERNAME")
# From the environment, because the arguments of a process can be read by everybody on the machine.
PASSWORD_VARIABLE = "MIAOP_PASSWORD"
MAX_INFO_BYTES = 10_240


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is, who signs in, and what is submitted. ``ca`` is a file of certificates to trust instead."""

    identity_url: str
    api_url: str
    tenant: str
    username: str
    password: str = field(repr=False)
    supervisor: str = ""
    task_name: str = ""
    folder: Path = Path("files")
    language: str = ""
    info: str = ""
    ca: Path | None = None
    verify: bool = True

    def trust(self) -> ssl.SSLContext | bool:
        """What a certificate is held against. Raises ClientError for a ``ca`` that holds none."""
        if not self.verify:
            return False
        if self.ca is None:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cafile=str(self.ca))
        except (OSError, ssl.SSLError) as error:
            raise ClientError(
                f"--ca {self.ca}: no certificates can be read from it", exit_code=LOCAL_TROUBLE
            ) from error


def read_config(path: Path) -> dict[str, str]:
    """The known keys of a file of ``KEY=value`` lines; a value may hold spaces, quotes around all of it go.

    Nothing is expanded or executed. Raises ClientError with the line that is no such line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"{path} cannot be read: {error}", exit_code=WRONG_USAGE) from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ClientError(f"{path}, line {number}: this is not KEY=value", exit_code=WRONG_USAGE)
        if name.strip() in KEYS:
            found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def settle(
    stored: Mapping[str, str],
    flags: Mapping[str, str | None],
    *,
    ask: Callable[[], str] | None,
    ca: Path | None = None,
    verify: bool = True,
) -> Settings:
    """The settings: a flag stands above its key of ``config.env``, and above nothing else.

    The password comes from the flag, the variable MIAOP_PASSWORD, the file or ``ask``, the first that has one.
    Raises ClientError naming the key that is missing or wrong.
    """
    values = {**stored, **{name: value for name, value in flags.items() if value is not None}}
    for name in NEEDED:
        if not values.get(name):
            raise ClientError(f"{name} is not set: write it into config.env", exit_code=WRONG_USAGE)
    if flags.get("PASSWORD") is None and os.environ.get(PASSWORD_VARIABLE):
        values["PASSWORD"] = os.environ[PASSWORD_VARIABLE]
    if not values.get("PASSWORD"):
        if ask is None:
            message = f"there is no password: set {PASSWORD_VARIABLE}, or PASSWORD in config.env"
            raise ClientError(message, exit_code=WRONG_USAGE)
        values["PASSWORD"] = ask()
    check_info(values.get("GENERIC_ADDITIONAL_INFO", ""))
    return Settings(
        identity_url=_address(values, "KEYCLOAK_BASE_URL"),
        api_url=_address(values, "API_BASE_URL"),
        tenant=values["TENANT"],
        username=values["USERNAME"],
        password=values["PASSWORD"],
        supervisor=values.get("SUPERVISOR_EMAIL", ""),
        task_name=values.get("TASK_NAME", ""),
        folder=Path(values.get("FILES_DIR") or "files"),
        language=values.get("BASE_LANGUAGE", ""),
        info=values.get("GENERIC_ADDITIONAL_INFO", ""),
        ca=ca,
        verify=verify,
    )


def _address(values: Mapping[str, str], name: str) -> str:
    parts = urlsplit(values[name])
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        message = f"{name} must be an address like https://example.com:8443, without user and password"
        raise ClientError(message, exit_code=WRONG_USAGE)
    return values[name].rstrip("/")


def check_info(text: str) -> None:
    """R4.6, before anything is uploaded: a JSON object of at most 10 240 bytes, or nothing. Raises ClientError."""
    if not text:
        return
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
    if not isinstance(found, dict):
        hint = """GENERIC_ADDITIONAL_INFO (--gai) must be a JSON object, like '{"key": "value"}' in single quotes"""
        raise ClientError(hint, exit_code=WRONG_USAGE)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_INFO_BYTES:
        message = f"GENERIC_ADDITIONAL_INFO (--gai) is longer than {MAX_INFO_BYTES} bytes"
        raise ClientError(message, exit_code=WRONG_USAGE)

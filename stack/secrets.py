"""The secrets of a local stack: made once, kept in one file of mode 0600, never printed."""

from __future__ import annotations

import base64
import secrets
from dataclasses import asdict, dataclass, field, fields

from stack.errors import StackError
from stack.files import read_json, write_json, write_private
from stack.paths import StackPaths


@dataclass(frozen=True)
class StackSecrets:
    """What must stay the same from start to start: without the master keys stored audio cannot be read again."""

    secret_key: str = field(repr=False)
    master_keys: str = field(repr=False)
    speech_token: str = field(repr=False)
    demo_seed: str = field(repr=False)
    admin_password: str = field(repr=False)


def load_secrets(paths: StackPaths) -> StackSecrets:
    """Return the secrets, making them at the first start.

    Raises :class:`StackError` when data is there but its secrets are not: new ones would not open it.
    """
    if not paths.secrets.exists():
        for cluster in (paths.postgres, paths.postgres_shared):
            if (cluster / "PG_VERSION").exists():
                raise StackError(
                    f"{paths.secrets} is missing, and without it the data in {cluster} cannot be read: "
                    f"put it back, or remove {cluster} to start with nothing"
                )
        write_json(paths.secrets, asdict(_new_secrets()))
    stored = read_json(paths.secrets)
    names = {entry.name for entry in fields(StackSecrets)}
    if not isinstance(stored, dict) or not names <= stored.keys():
        raise StackError(f"{paths.secrets} is damaged: put back the file that belongs to this data directory")
    found = StackSecrets(**{name: stored[name] for name in names})
    if not paths.speech_token.exists() or paths.speech_token.read_text() != found.speech_token:
        write_private(paths.speech_token, found.speech_token)
    return found


def _new_secrets() -> StackSecrets:
    return StackSecrets(
        secret_key=secrets.token_urlsafe(64),
        master_keys=f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        speech_token=secrets.token_urlsafe(32),
        demo_seed=secrets.token_urlsafe(16),
        admin_password=secrets.token_urlsafe(12),
    )

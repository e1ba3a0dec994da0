"""The environment the processes of a local stack run in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stack.paths import ROOT, StackPaths
from stack.postgres import EmbeddedPostgres
from stack.secrets import StackSecrets
from stack.valkey import EmbeddedValkey

DATABASE = "parlance"
SETTINGS = "config.settings.local"


def uses_own_postgres() -> bool:
    """Say whether the stack starts its own PostgreSQL: it does unless DATABASE_URL names another."""
    return not os.environ.get("DATABASE_URL")


def uses_own_valkey() -> bool:
    """Say whether the stack starts its own Valkey: it does unless REDIS_URL names another."""
    return not os.environ.get("REDIS_URL")


def python_environment() -> dict[str, str]:
    """Return the caller's environment for a Python child that works in the checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PATH": path}


def stack_environment(paths: StackPaths, secrets: StackSecrets, *, web_port: int, speech_port: int) -> dict[str, str]:
    """Return the environment of web, worker, beat and every management command of this stack."""
    postgres = EmbeddedPostgres(paths.postgres, paths.sockets)
    valkey = EmbeddedValkey(paths.valkey, paths.sockets)
    env = python_environment()
    env.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    env.setdefault("PARLANCE_SECRET_KEY", secrets.secret_key)
    env.setdefault("PARLANCE_MASTER_KEYS", secrets.master_keys)
    env.setdefault("PARLANCE_MEDIA_DIR", str(paths.media))
    env.setdefault("PARLANCE_AUDIT_CHECKPOINT_FILE", str(paths.audit_checkpoints))
    if uses_own_postgres():
        env["DATABASE_URL"] = postgres.url(DATABASE)
    if uses_own_valkey():
        env["REDIS_URL"] = valkey.url()
    return env | {
        "PARLANCE_STATIC_DIR": str(paths.static),
        "PARLANCE_BASE_URL": web_url(web_port),
        "PARLANCE_SPEECH_ADDRESS": f"http://127.0.0.1:{speech_port}",
        "PARLANCE_SPEECH_TOKEN_FILE": str(paths.speech_token),
        "PARLANCE_DEMO_SEED": secrets.demo_seed,
    }


def web_url(port: int) -> str:
    """Return the address people open."""
    return f"http://localhost:{port}/"

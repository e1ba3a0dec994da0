"""A pytest plugin that makes sure of a throw-away PostgreSQL and Valkey before Django's settings are read.

``./parlance test`` starts them itself and says so in the environment. When pytest is called directly, this plugin
starts them; workers of xdist inherit the environment of the process that started them.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def _start() -> None:
    from stack.postgres import EmbeddedPostgres
    from stack.valkey import EmbeddedValkey

    base = Path(tempfile.mkdtemp(prefix="pt-"))
    postgres = EmbeddedPostgres(base / "pg", base / "s", durable=False).start()
    valkey = EmbeddedValkey(base / "valkey", base / "s", durable=False).start()
    os.environ["DATABASE_URL"] = postgres.url("postgres")
    os.environ["REDIS_URL"] = valkey.url()

    def stop() -> None:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(base, ignore_errors=True)

    atexit.register(stop)


if "DATABASE_URL" not in os.environ:
    _start()
os.environ.setdefault("PARLANCE_MEDIA_DIR", tempfile.mkdtemp(prefix="pt-media-"))

"""A pytest plugin that makes sure of a throw-away PostgreSQL and Valkey before Django's settings are read.

``./parlance test`` starts them itself and says so in the environment. When pytest is called directly, this plugin
starts them; workers of xdist inherit the environment of the process that started them.
"""

import atexit
import os
import re
import shutil
import tempfile
from contextlib import ExitStack

from stack.throwaway import throwaway_services

if "DATABASE_URL" not in os.environ:
    services = ExitStack()
    os.environ.update(services.enter_context(throwaway_services()))
    atexit.register(services.close)

# Keys in Valkey name engines and jobs by numbers that the database of each worker gives anew: each has its own part of it.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    part = 8 + int(worker.removeprefix("gw")) % 8
    os.environ["REDIS_URL"] = re.sub(r"virtual_host=\d+", f"virtual_host={part}", os.environ["REDIS_URL"])

if "PARLANCE_MEDIA_DIR" not in os.environ:
    os.environ["PARLANCE_MEDIA_DIR"] = tempfile.mkdtemp(prefix="parlance-media-")
    atexit.register(shutil.rmtree, os.environ["PARLANCE_MEDIA_DIR"], ignore_errors=True)

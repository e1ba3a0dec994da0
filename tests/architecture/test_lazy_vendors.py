"""The vendors' heavy packages are loaded when the first engine of their type is opened, not when a process begins."""

import json
import os
import subprocess
import sys

import pytest

from stack.paths import ROOT

HEAVY = ("google.cloud", "google.auth", "google.api_core", "google.protobuf", "grpc", "azure", "openai", "httpx2")
LOADED = """
import json, sys
found = sorted(name for name in sys.modules if any(name == heavy or name.startswith(heavy + ".") for heavy in {heavy}))
print(json.dumps(found[:5]))
"""
# As Celery's worker does it, and then all that a pass may need before it opens an engine.
WORKER = """
from config.celery import app
app.loader.import_default_modules()
app.finalize()
import jobs.passes.running, jobs.upkeep.cleanups, transcription.session
from jobs.kinds import kinds
from transcription.registry import engine_types
from aiassistant.registry import engine_types as ai_types
assert len(kinds()) > 1 and "google" in engine_types() and ai_types()
"""
WEB = """
from django.core.handlers.wsgi import WSGIHandler
WSGIHandler()
from django.urls import get_resolver
assert get_resolver().url_patterns
"""


@pytest.mark.parametrize("process", [WORKER, WEB], ids=["worker", "web"])
def test_a_process_that_starts_loads_no_package_of_a_vendor(process: str):
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test"}
    code = "import django\ndjango.setup()\n" + process + LOADED.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []

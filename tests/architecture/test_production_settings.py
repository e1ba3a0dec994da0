"""Production refuses to start on weak settings, and starts on good ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "PARLANCE_SECRET_KEY": "k" * 25 + "9f3c1e7b5d2a8046" * 3,
    "PARLANCE_MASTER_KEYS": "k1:" + "A" * 43 + "=",
    "PARLANCE_ALLOWED_HOSTS": "parlance.example",
    "DATABASE_URL": "postgresql://u@/x?host=/nowhere",
    "REDIS_URL": "redis://localhost:1/0",
}


def start(**changes: str) -> subprocess.CompletedProcess:
    """Set Django up as gunicorn would; ``None`` takes a variable away."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANCE_", "DJANGO_"))}
    env = {**kept, **GOOD, **changes}
    code = "import django; django.setup(); from django.conf import settings; print(settings.DEBUG)"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_good_settings_start_without_debug():
    started = start()
    assert started.returncode == 0, started.stderr
    assert started.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLANCE_SECRET_KEY", ""),
        ("PARLANCE_SECRET_KEY", "short"),
        ("PARLANCE_SECRET_KEY", "django-insecure-" + "x" * 60),
        ("PARLANCE_ALLOWED_HOSTS", ""),
        ("PARLANCE_ALLOWED_HOSTS", "*"),
        ("PARLANCE_ALLOWED_HOSTS", "parlance.example,*.example"),
        ("PARLANCE_MASTER_KEYS", ""),
        ("PARLANCE_DEBUG", "1"),
        ("PARLANCE_METRICS_TOKEN", "short"),
        ("PARLANCE_METRICS_ADDRESSES", "10.0.0.1/8"),
        ("PARLANCE_METRICS_ADDRESSES", "everybody"),
    ],
)
def test_a_weak_setting_refuses_the_start_and_is_named(name, value):
    refused = start(**{name: value})
    assert refused.returncode != 0
    assert name in refused.stderr


def test_secrets_may_come_from_files(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(GOOD["PARLANCE_SECRET_KEY"] + "\n")
    env = {name: value for name, value in GOOD.items() if name != "PARLANCE_SECRET_KEY"}
    code = "import django; django.setup(); from django.conf import settings; print(len(settings.SECRET_KEY))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANCE_", "DJANGO_"))}
    started = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**kept, **env, "PARLANCE_SECRET_KEY_FILE": str(secret)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.stdout.strip() == str(len(GOOD["PARLANCE_SECRET_KEY"]))


def test_what_is_posted_to_the_api_is_never_redirected():
    code = (
        "import django; django.setup(); from django.conf import settings; import re;"
        "paths = ['realms/a/x', 'auth/realms/a', 'hrec', 'hrec/', 'api/tasks', 'calls/', 'hrecs', 'x/api/'];"
        "print([any(re.search(rule, path) for rule in settings.SECURE_REDIRECT_EXEMPT) for path in paths])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANCE_", "DJANGO_"))}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**kept, **GOOD}, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str([True] * 5 + [False] * 3)

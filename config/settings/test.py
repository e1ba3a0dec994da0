"""Settings of the test run: its own throw-away PostgreSQL and Valkey, known keys, quick hashing."""

import os

os.environ.setdefault("PARLANCE_SECRET_KEY", "test-only-secret-key-that-protects-nothing-at-all-0123456789")
os.environ.setdefault("PARLANCE_MASTER_KEYS", "test:" + "A" * 43 + "=")

from config.settings.base import *  # noqa: F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
STORAGES = {
    **STORAGES,  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# No collected static files in tests; the browser tests run the real thing.
MIDDLEWARE = [middleware for middleware in MIDDLEWARE if "whitenoise" not in middleware]  # noqa: F405
# Argon2id stays the hasher; only its cost is lowered (tests/accounts checks the production cost).
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2PasswordHasher"]
DATABASES["default"]["TEST"] = {"MIGRATE": True}  # noqa: F405
# Nobody judges filters in most tests; those that need an answer leave it themselves.
JOB_FORM_WAIT_S = 0.0

"""The one-command stack on one machine: plain http on loopback, secrets made at the first start."""

from config.settings.base import *  # noqa: F403

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost", *ALLOWED_HOSTS]  # noqa: F405
SHOW_DEMO_SIGN_INS = True

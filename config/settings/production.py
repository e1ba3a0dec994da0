"""Production: refuses to start on a default secret, DEBUG or wildcard hosts (security §1, api-and-operations §2)."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.base import *  # noqa: F403
from config.settings.environment import env

if env("PARLANCE_DEBUG", "0").lower() not in {"0", "", "false", "no"}:
    raise ImproperlyConfigured("PARLANCE_DEBUG must be off in production.")
if len(SECRET_KEY) < 50 or SECRET_KEY.startswith(("django-insecure", "test-only", "change-me")):  # noqa: F405
    raise ImproperlyConfigured("PARLANCE_SECRET_KEY must be a secret of your own, at least 50 characters long.")
if not MASTER_KEYS:  # noqa: F405
    raise ImproperlyConfigured("PARLANCE_MASTER_KEYS must hold at least one key as name:base64 of 32 bytes.")
if not ALLOWED_HOSTS:  # noqa: F405
    raise ImproperlyConfigured("PARLANCE_ALLOWED_HOSTS must name the host names of this installation.")
if any("*" in host for host in ALLOWED_HOSTS):  # noqa: F405
    raise ImproperlyConfigured("PARLANCE_ALLOWED_HOSTS must not hold a wildcard.")
if METRICS_TOKEN and len(METRICS_TOKEN) < 32:  # noqa: F405
    raise ImproperlyConfigured("PARLANCE_METRICS_TOKEN must be at least 32 characters long, or empty for no metrics.")

SECURE_SSL_REDIRECT = env("PARLANCE_TLS_TERMINATED_OUTSIDE", "0") == "0"
if env("PARLANCE_TRUST_FORWARDED_PROTO", "0") == "1":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", f"^(?:{API_PATHS})"]  # noqa: F405
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-sessionid"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"

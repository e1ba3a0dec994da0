"""Settings shared by every place of use. What differs (secrets, hosts, debug) is in the sibling modules."""

from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONCE
from django.utils.translation import gettext_lazy as _

from config.settings.environment import database_from_url, env, env_list, env_networks

BASE_DIR = Path(__file__).resolve().parents[2]
VERSION = "0.1.0"

DEBUG = False
SECRET_KEY = env("PARLANCE_SECRET_KEY", "")
ALLOWED_HOSTS = env_list("PARLANCE_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env_list("PARLANCE_CSRF_ORIGINS")

# --- The two halves: an app lives wholly in public or wholly in every tenant schema (architecture §2). ---
SHARED_APPS = [
    "demo",
    "usage",
    "alerts",
    "transcription",
    "aiassistant",
    "jobs",
    "customfields",
    "queues",
    "licensing",
    "accounts",
    "tenants",
    "audit",
    "core",
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "django_cotton.apps.SimpleAppConfig",
    "django_filters",
    "django_tables2",
    "csp",
]
TENANT_APPS = ["conversations", "miaop"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]

TENANT_MODEL = "tenants.Tenant"
TENANT_LIMIT_SET_CALLS = True
TEMPLATE_SCHEMA = "t_template"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DATABASES = {
    "default": {
        **database_from_url(env("DATABASE_URL", "postgresql://postgres@localhost/parlance")),
        "ENGINE": "tenants.backend",
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
    }
}
DATABASES["default"]["OPTIONS"] |= {
    "pool": {"min_size": 1, "max_size": int(env("PARLANCE_DB_POOL", "12")), "timeout": 10, "max_lifetime": 1800},
    "options": "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=15000",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", "redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db="),
        "KEY_PREFIX": "parlance",
    }
}

# --- Web ---
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
MIDDLEWARE = [
    "core.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.middleware.ResponseHeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "core.middleware.CookielessMiddleware",
    "core.middleware.CharsetMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "core.middleware.ErrorMiddleware",
    "tenants.middleware.TenantDoorMiddleware",
    "accounts.middleware.ViewerMiddleware",
    "accounts.middleware.DutyMiddleware",
    "audit.middleware.AccessAuditMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton", "django.templatetags.i18n", "django.templatetags.static"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "accounts.context.page_frame",
            ],
        },
    }
]
COTTON_DIR = "cotton"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
DJANGO_TABLES2_TEMPLATE = "tables/table.html"
FILTERS_EMPTY_CHOICE_LABEL = _("Any")
CSRF_FAILURE_VIEW = "core.views.csrf_failure"

STATIC_URL = "/static/"
STATIC_ROOT = env("PARLANCE_STATIC_DIR", str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": env("PARLANCE_MEDIA_DIR", str(BASE_DIR / "var" / "media")),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# A task of the offline-task API has up to 200 files and may come with parts that are ignored.
DATA_UPLOAD_MAX_NUMBER_FILES = 250

# --- People ---
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.TenantUserBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "accounts.passwords.StorableValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "usage:home"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# User names are unique per tenant by a constraint of their own (domain §1.2), not by USERNAME_FIELD.
SILENCED_SYSTEM_CHECKS = ["auth.E003", "auth.W004"]

# --- Languages and time ---
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", _("English")), ("he", _("Hebrew"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Headers ---
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", NONCE],
        "img-src": ["'self'", "data:"],
        "media-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# How many proxies of our own stand in front; so many entries of X-Forwarded-For, from the right, are believed.
TRUSTED_PROXY_COUNT = int(env("PARLANCE_TRUSTED_PROXY_COUNT", "0"))

# --- E-mail: without a server named here nothing is sent, and pages say so. ---
EMAIL_HOST = env("PARLANCE_EMAIL_HOST", "")
EMAIL_PORT = int(env("PARLANCE_EMAIL_PORT", "587"))
EMAIL_HOST_USER = env("PARLANCE_EMAIL_USER", "")
EMAIL_HOST_PASSWORD = env("PARLANCE_EMAIL_PASSWORD", "")
EMAIL_USE_SSL = env("PARLANCE_EMAIL_TLS", "starttls") == "implicit"
EMAIL_USE_TLS = env("PARLANCE_EMAIL_TLS", "starttls") == "starttls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env("PARLANCE_EMAIL_FROM", "parlance@localhost")
# How people reach this installation, for links in e-mails.
BASE_URL = env("PARLANCE_BASE_URL", "http://localhost:8000/")

# --- Realms of the offline-task API: what bad credentials get (classic: 401, keycloak-26.6: 400), and where plain http
# will do (external: from private addresses, all: nowhere, none: everywhere). ---
REALMS_ERRORS = env("PARLANCE_REALMS_ERRORS", "classic")
REALMS_TLS = env("PARLANCE_REALMS_TLS", "external")
# Paths without the slash in front whose callers are known by a token alone: cookies are not looked at there, errors are
# JSON, and a redirect, which would lose what was posted, is never the answer.
API_PATHS = r"(?:auth/)?realms/|hrec/?\Z|api/"

# --- Offline-task API: what clients are told to wait at most, in seconds (R5.2). ---
MIAOP_MAX_REMAINING_S = int(env("PARLANCE_MIAOP_MAX_REMAINING_S", "900"))
# Limits of one submission (R4.2): files, bytes of each, and how long the whole of it may take, in seconds. In each
# stretch of so many seconds at least so many bytes must come.
MIAOP_MAX_FILES = 200
MIAOP_MAX_FILE_BYTES = int(env("PARLANCE_MIAOP_MAX_FILE_BYTES", str(1024**3)))
MIAOP_UPLOAD_SECONDS = float(env("PARLANCE_MIAOP_UPLOAD_SECONDS", "3600"))
MIAOP_STALL_SECONDS = float(env("PARLANCE_MIAOP_STALL_SECONDS", "30"))
MIAOP_STALL_BYTES = 64 * 1024
# Files while they are received; on a disk that web and workers share.
MIAOP_INCOMING_DIR = env(
    "PARLANCE_MIAOP_INCOMING_DIR",
    str(Path(STORAGES["default"]["OPTIONS"]["location"]).parent / "incoming"),  # type: ignore[index]
)
# Of one user.
MIAOP_REQUESTS_A_MINUTE = int(env("PARLANCE_MIAOP_REQUESTS_A_MINUTE", "600"))
MIAOP_SUBMISSIONS_A_MINUTE = int(env("PARLANCE_MIAOP_SUBMISSIONS_A_MINUTE", "60"))

# --- Metrics: without a token there is no /metrics; with addresses only these may ask. ---
METRICS_TOKEN = env("PARLANCE_METRICS_TOKEN", "")
METRICS_ADDRESSES = env_networks("PARLANCE_METRICS_ADDRESSES")

# --- Secrets at rest ---
MASTER_KEYS = env("PARLANCE_MASTER_KEYS", "")

# --- Work: Celery only carries the bell; truth is in PostgreSQL (architecture §4). ---
CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "socket_timeout": 10, "socket_connect_timeout": 5}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_BEAT_SCHEDULE = {
    "jobs-tick": {"task": "jobs.tasks.tick", "schedule": 2.0, "options": {"expires": 2}},
    "transcription-engine-tests": {
        "task": "transcription.tasks.resume_engine_tests",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "aiassistant-engine-tests": {
        "task": "aiassistant.tasks.resume_engine_tests",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "aiassistant-playground": {
        "task": "aiassistant.playground.tasks.resume_playground",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "audit-checkpoint": {"task": "audit.tasks.checkpoint", "schedule": 300.0, "options": {"expires": 300}},
    "accounts-prune": {"task": "accounts.tasks.prune", "schedule": 3600.0, "options": {"expires": 3600}},
    "licensing-reconcile": {"task": "licensing.tasks.reconcile_ledger", "schedule": crontab(hour=2, minute=17)},
    "queues-flow": {"task": "queues.tasks.fold_flow", "schedule": 10.0, "options": {"expires": 10}},
    "queues-purges": {"task": "queues.tasks.resume_purges", "schedule": 2.0, "options": {"expires": 2}},
    "queues-replicate": {"task": "queues.tasks.replicate", "schedule": 5.0, "options": {"expires": 5}},
    "jobs-figures": {"task": "jobs.tasks.fold_figures", "schedule": 10.0, "options": {"expires": 10}},
    "jobs-reserved": {"task": "jobs.tasks.release_reserved", "schedule": 30.0, "options": {"expires": 30}},
    "jobs-prune": {"task": "jobs.tasks.prune_history", "schedule": 3600.0},
    "conversations-sweep": {"task": "conversations.tasks.sweep_all_audio", "schedule": 24 * 3600.0},
    "miaop-incoming": {"task": "miaop.tasks.sweep_incoming", "schedule": 30.0, "options": {"expires": 30}},
    "tenants-provisioning": {"task": "tenants.tasks.resume_provisioning", "schedule": 10.0, "options": {"expires": 10}},
    "alerts-rules": {"task": "alerts.tasks.check_rules", "schedule": 60.0, "options": {"expires": 60}},
    "usage-limits": {"task": "usage.tasks.check_limits", "schedule": 60.0, "options": {"expires": 60}},
    "tenants-purging": {"task": "tenants.tasks.resume_purging", "schedule": 60.0, "options": {"expires": 60}},
}
# How long a worker that is asked to stop lets calls to providers come to their end, in seconds. Whoever stops workers
# must give them a little more than that before killing them.
WORKER_GRACE_S = float(env("PARLANCE_WORKER_GRACE_S", "8"))
# A lower app rings this task by its name after a commit; nobody below imports jobs.
BELL_TASK = "jobs.tasks.ring"

# --- Audit trail: signed facts about the chains, kept outside the database (security A3). ---
AUDIT_CHECKPOINT_FILE = env(
    "PARLANCE_AUDIT_CHECKPOINT_FILE",
    str(Path(STORAGES["default"]["OPTIONS"]["location"]).parent / "audit-checkpoints.jsonl"),  # type: ignore[index]
)

# New jobs may use the deprecated data source, which asks every tenant's tables again and again.
ALLOW_STORAGE_SOURCE = env("PARLANCE_ALLOW_STORAGE_SOURCE", "0") == "1"

# So long the job form waits for a worker to judge new filters, before it saves them without having been told.
JOB_FORM_WAIT_S = 2.0

# --- Registries of dotted paths (architecture §2), verified by system checks. ---
JOB_KINDS = {
    "transcription": "transcription.kind.TranscriptionKind",
    "aiassistant": "aiassistant.kind.AIKind",
}
# Who reads which queue, for the pages of queues.
QUEUE_READERS = "jobs.reading.readings_for"
# Values that differ whenever what readers do has changed, so that unchanged pages of queues cost next to nothing.
QUEUE_READERS_PULSE = "jobs.pulse.pulse_of_all"
# What apps bring with them for all tenants: functions that ``bootstrap`` calls each time; they add what is missing.
BOOTSTRAP_LOADERS = {
    "ai_tasks": "aiassistant.library.seeding.load_library",
    "talk_fields": "transcription.talk_fields.load_talk_fields",
}
# Who uses which custom field: functions from ids of fields to the uses of each. A field in use is not deleted.
CUSTOM_FIELD_USES = {
    "jobs": "jobs.custom_fields.jobs_using",
    "ai_tasks": "aiassistant.library.selectors.tasks_using",
    "talk_fields": "transcription.talk_fields.jobs_using",
}
# For the audit trail, which stands below the tenants.
VISIBLE_TENANTS = "tenants.selectors.visible_tenants"
TENANT_PAGE = "tenants.pages.TenantPage"
SPEECH_ENGINES = {
    "native_v2": "transcription.engines.native.NativeSpeechEngine",
    "miaop": "transcription.engines.miaop.OfflineTaskEngine",
    "openai": "transcription.engines.openai.OpenAIAudioEngine",
    "openai_compatible": "transcription.engines.openai.CompatibleAudioEngine",
    "deepgram": "transcription.engines.deepgram.DeepgramEngine",
    "google": "transcription.engines.google.GoogleEngine",
    "assemblyai": "transcription.engines.assemblyai.AssemblyAIEngine",
    "azure": "transcription.engines.azure.AzureEngine",
    "speechmatics": "transcription.engines.speechmatics.SpeechmaticsEngine",
}
AI_ENGINES = {
    "offline": "aiassistant.engines.offline.OfflineEngine",
    "openai": "aiassistant.engines.openai.OpenAIEngine",
    "azure_openai": "aiassistant.engines.openai.AzureOpenAIEngine",
    "openai_compatible": "aiassistant.engines.openai.CompatibleEngine",
}
# Functions from a tenant's id to its folder in the file store: what the deletion of a tenant removes.
TENANT_FOLDERS = ["conversations.audio.tenant_folder"]
# The pages of objects that the audit trail may lead to: their kind, and a route with their id.
AUDIT_PAGES = {"bulk_action": "jobs:bulk_action"}
# What the deletion of a tenant removes from public tables: functions from its id to a number. The first ones run in the
# transaction that also destroys schema and key, the others after it; those may take long and are repeated if they fail.
TENANT_PURGES = {
    "users": "accounts.purging.purge_people",
    "licences": "licensing.purging.purge_licences",
    "queue_items": "queues.purging.purge_items",
    "custom_fields": "customfields.purging.purge_fields",
    "alert_rules": "alerts.purging.purge_rules",
    "ai_rails": "aiassistant.rails.purging.purge_rails",
}
TENANT_SWEEPS = {"records": "jobs.upkeep.purging.sweep_records"}

# --- Audio ---
MAX_AUDIO_BYTES = 2 * 1024**3
MAX_AUDIO_SECONDS = 8 * 3600

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "core.logs.RequestIdFilter"},
        "refusals": {"()": "core.logs.RefusalFilter"},
        "signed_paths": {"()": "core.logs.SignedPathFilter"},
    },
    "formatters": {
        "line": {"format": "{asctime} {levelname:<7} {name} [{request_id}] {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": env("PARLANCE_LOG_LEVEL", "INFO")},
    "loggers": {
        "django.request": {"filters": ["refusals", "signed_paths"]},
        "django.server": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "celery.app.trace": {"level": "WARNING"},
        # Lines for each request to an engine.
        "azure": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

"""The shape of the house (architecture §2–3), checked on the code itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.permissions import ALL_CODES, ROLE_PERMISSIONS, DefaultRole, Permission
from core.policy import PUBLIC

ROOT = Path(__file__).resolve().parents[2]
OURS = [
    "accounts",
    "aiassistant",
    "audit",
    "conversations",
    "customfields",
    "demo",
    "jobs",
    "licensing",
    "queues",
    "tenants",
    "transcription",
    "usage",
    "alerts",
]


def routes(resolver: URLResolver | None = None, prefix: str = "") -> list[tuple[str, object]]:
    """Every (path, view) of the product."""
    found: list[tuple[str, object]] = []
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            found += routes(entry, path)
        elif isinstance(entry, URLPattern):
            found.append((path, entry.callback))
    return found


def test_every_route_declares_its_policy():
    undeclared = [path for path, view in routes() if not hasattr(view, "policy")]
    assert undeclared == []
    assert len(routes()) > 30


def test_only_these_routes_are_open_to_anybody():
    public = {path for path, view in routes() if getattr(view, "policy", None) == PUBLIC}
    signing_in = {"sign-in/", "sign-in/second-factor/", "sign-in/single-sign-on/", "sign-in/single-sign-on/callback/"}
    # They ask for the signature of the other installation.
    pairing = {"pairing/v1/ping", "pairing/v1/queues"}
    # Realms sign people in; the offline-task API asks for their tokens.
    public = {path for path in public if not path.startswith(("^(?:auth/)?realms/", "^api/", "^hrec"))}
    # An address of it is signed by us, and holds while its recording is being transcribed.
    signed = {"x/stt-audio/<str:token>/<str:name>"}
    # It asks for the token of the settings.
    assert public == {"healthz", "readyz", "metrics", "sign-out/", "theme/"} | signing_in | pairing | signed


def test_no_app_is_in_both_halves_and_each_model_is_in_one():
    assert not set(settings.SHARED_APPS) & set(settings.TENANT_APPS)
    tenant_labels = set(settings.TENANT_APPS)
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.get_fields():
                target = getattr(field, "related_model", None)
                forward = target is not None and not field.auto_created
                if forward and label not in tenant_labels:
                    assert target._meta.app_label not in tenant_labels, f"{model} points from public into a tenant"


def test_tenant_models_use_the_manager_that_refuses_foreign_querysets():
    from tenants.querysets import TenantQuerySet

    for label in settings.TENANT_APPS:
        for model in apps.get_app_config(label).get_models():
            assert isinstance(model._default_manager.all(), TenantQuerySet), model


def test_a_tenant_schema_stays_thin():
    tables = sum(
        len(list(apps.get_app_config(label).get_models(include_auto_created=True))) for label in settings.TENANT_APPS
    )
    assert tables <= 15


FORBIDDEN = [
    (r"\bset_tenant\(|\bset_schema\(|schema_context|tenant_context", {"tenants"}),
    (r"\.delay\(|\.apply_async\(", None),
    (r"GenericForeignKey", set()),
    (r"^from \S+ import \*", {"config"}),
    (r"time\.sleep\(", {"demo"}),
    (r"mark_safe|\|safe\b", {"core"}),
]


@pytest.mark.parametrize(("pattern", "allowed"), FORBIDDEN)
def test_what_the_house_rules_forbid_is_not_in_the_apps(pattern, allowed):
    offenders = []
    for label in [*OURS, "engines", "core", "config"]:
        for file in (ROOT / label).rglob("*.py"):
            fine = file.name == "tasks.py" if allowed is None else label in allowed
            if not fine and re.search(pattern, file.read_text(), re.MULTILINE):
                offenders.append(str(file.relative_to(ROOT)))
    assert offenders == []


def test_every_role_holds_known_permissions_and_none_but_the_platform_admin_configures_engines():
    assert set(ROLE_PERMISSIONS) == set(DefaultRole)
    configuring = {Permission.ENGINES_EDIT, Permission.QUEUES_EDIT, Permission.JOBS_EDIT, Permission.ADDRESSES_EDIT}
    configuring.add(Permission.PAIRING_EDIT)
    for role, held in ROLE_PERMISSIONS.items():
        assert held <= ALL_CODES
        assert bool(held & configuring) == (role == DefaultRole.PLATFORM_ADMIN)


@pytest.mark.django_db
def test_models_and_migrations_agree(capsys):
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_the_system_checks_find_nothing():
    call_command("check", fail_level="WARNING")


def test_import_contracts_hold():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports"))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_nothing_committed_names_the_machine_it_was_made_on():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    words = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "deb.debian" + ".org"]
    found = []
    for name in listed.splitlines():
        file = ROOT / name
        if file.suffix in {".ogg", ".png", ".min.js", ".svg"} or "vendor" in name or not file.is_file():
            continue
        text = file.read_text(errors="ignore")
        found += [f"{name}: {word}" for word in words if word in text]
    assert found == []

"""Makes the tenants, people and pipeline of the conformance tests: a process of its own, on the stack's database."""

import os
import sys
from urllib.parse import urlsplit

import django

PASSWORD = "a long password for nobody"
# realm → (user name, role, group, e-mail, licensed)
PEOPLE = {
    "system": [("root", "platform_admin", "", "root@parlance.example", False)],
    "acme": [
        ("ada", "tenant_admin", "", "ada@acme.example", True),
        ("sue", "supervisor", "Sales", "sue@acme.example", True),
        ("ivy", "integrator", "", "ivy@acme.example", True),
        ("ira", "integrator", "", "ira@acme.example", True),
        ("kit", "integrator", "", "kit@acme.example", True),
        ("alan", "agent", "Sales", "alan@acme.example", True),
        ("rita", "submitter", "", "rita@acme.example", True),
    ],
    "globex": [("stan", "integrator", "", "stan@globex.example", True)],
    "initech": [("otto", "integrator", "", "otto@initech.example", True)],
}
# Their realm is off (T26).
WITHOUT_API = ("initech",)
# A role of Acme that uses the API and reads no transcripts (T17).
SUBMITTER = ["calls.own.view", "miaop.read", "miaop.submit"]
# Of Globex, for all its users together (T26).
MINUTES_A_MONTH = 1


def main() -> int:
    """Everything by the services of the apps; the addresses are those of the environment."""
    django.setup()
    from django.core.management import call_command

    from accounts.realms.models import RealmSetting
    from tenants.models import Tenant
    from tests.licensing.conftest import set_limits

    _tenants()
    for tenant in Tenant.objects.all():
        if tenant.slug not in WITHOUT_API:
            RealmSetting.objects.update_or_create(tenant=tenant, defaults={"enabled": True})
    set_limits(Tenant.objects.get(slug="globex"), org_month=MINUTES_A_MONTH)
    _trust(os.environ["CONFORMANCE_ISSUER"])
    _pipeline()
    # Pages, that of an unknown address too, name their files by what this writes.
    call_command("collectstatic", "--noinput", "--verbosity", "0")
    return 0


def _trust(issuer: str) -> None:
    """Acme counts everybody of the issuer outside as its own (T07)."""
    from accounts.realms.models import TrustedIssuer
    from tenants.models import Tenant
    from tenants.selectors import system_tenant
    from tenants.services import allow_address

    port = urlsplit(issuer).port or 0
    allow_address(cidr="127.0.0.1/32", port=port, note="", actor="test", audit_tenant=system_tenant())
    TrustedIssuer.objects.create(tenant=Tenant.objects.get(slug="acme"), issuer=issuer, mapping="fixed")


def _tenants() -> None:
    from accounts.models import Role
    from accounts.services import create_user
    from licensing.models import Bundle
    from licensing.services import grant
    from tenants.models import Tenant
    from tenants.provisioning import provision
    from tenants.services import create_tenant

    for slug, people in PEOPLE.items():
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            tenant = create_tenant(slug=slug, name=slug.title(), actor="test")
            provision(tenant.pk)
            tenant.refresh_from_db()
        if slug == "acme":
            Role.objects.create(tenant=tenant, name="submitter", scope="user", granted=SUBMITTER)
        for username, role, group, email, licensed in people:
            user = create_user(
                tenant=tenant,
                username=username,
                password=PASSWORD,
                role=Role.objects.get(tenant=tenant, name=role) if role == "submitter" else role,
                full_name=username.title(),
                group=group,
                email=email,
                actor="test",
            )
            if licensed:
                grant(user=user, bundle=Bundle.SPEECH_ANALYTICS, actor="test")


def _pipeline() -> None:
    from jobs.services import save_job
    from queues.services import save_queue
    from tenants.selectors import system_tenant
    from tests.jobs.conftest import job_values
    from tests.speechserver.conftest import TOKEN
    from transcription.services import save_engine

    by = {"actor": "test", "audit_tenant": system_tenant()}
    engine = save_engine(
        engine=None,
        values={"name": "Tones", "engine_type": "native_v2", "enabled": True, "visibility": "global", "tenant": None},
        settings={"server_address": os.environ["PARLANCE_SPEECH_ADDRESS"], "punctuate": False},
        secrets={"token": TOKEN},
        **by,
    )
    values = {"name": "Recorded", "enabled": True, "scope": "global", "tenant": None, "record_type": "call"}
    events = {"events": ["call.recording_finished"], "replicate": False}
    queue = save_queue(queue=None, values=values | events, tenant_groups=[], **by)
    save_job(job=None, values=job_values(engine, queue, filters=[]), tenant_groups=[], publish_to=[], **by)


if __name__ == "__main__":
    sys.exit(main())

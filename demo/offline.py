"""The demo's offline tasks: one for each tenant, submitted as the API submits them, with the shortest call as its file."""

import hashlib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from accounts.services import key_of
from demo.manifest import CALLS, DemoTenant, Manifest
from jobs.models import Record
from miaop.models import Task
from miaop.services import Sent, submit
from miaop.submission import Defaults, read_submission
from tenants.doors import enter
from tenants.models import Tenant
from transcription.languages.selectors import languages_for, usual_language

# By the language of the tenant.
NAMES = {"he": "ייבוא לילי", "en": "Nightly import"}
SUPERVISOR, LANGUAGE = "supervisor", "English"


def submit_task(*, tenant: Tenant, wanted: DemoTenant, manifest: Manifest) -> None:
    """The tenant's task, once: one that is there stays as it is, archived or not. Its licensed supervisor submits it."""
    task_id = f"demo-{tenant.slug}"
    person = next((each for each in wanted.users if each.role == SUPERVISOR and each.licensed), None)
    languages = dict(languages_for(tenant))
    with enter(tenant):
        if person is None or not languages or Task.objects.filter(task_id=task_id).exists():
            return
        caller = User.objects.get(tenant=tenant, username_key=key_of(person.username))
        audio = _shortest(tenant, manifest)
        # The recordings are in English, whatever the tenant's language is.
        language = LANGUAGE if LANGUAGE in languages else usual_language(tenant, languages)
        usual = Defaults(language, caller.full_name, caller.email, ZoneInfo(tenant.time_zone), timezone.now())
        members: dict[str, Any] = {
            "taskId": task_id,
            "taskType": "offline",
            "taskName": NAMES.get(wanted.language, NAMES["en"]),
            "baseLanguages": [language],
            "genericAdditionalInfo": {"crm": "A-17"},
            "meetings": [{"files": [{"file": audio.name, "baseLanguage": language}]}],
        }
        content = audio.read_bytes()
        submit(
            tenant=tenant,
            caller=caller,
            submission=read_submission(members, languages=list(languages), usual=usual),
            sent=[Sent(audio.name, audio, len(content), hashlib.sha256(content).hexdigest())],
            languages=languages,
        )


def _shortest(tenant: Tenant, manifest: Manifest) -> Path:
    """The smallest recording among the calls that end with a transcript; all are of one codec and rate."""
    named = [
        CALLS / str(call.metadata()["audio"])
        for call in manifest.calls
        if call.tenant == tenant.slug and call.expect.state == Record.State.COMPLETED
    ]
    return min(named, key=lambda path: path.stat().st_size)

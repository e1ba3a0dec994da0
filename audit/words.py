"""Words for the codes of the trail: actions, kinds of objects and fields. A code without words stands for itself.

The codes are what is stored, filtered and exported. The apps that write them stand above this one, so their words are
listed here; a test finds every action that lacks some.
"""

import uuid
from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import AuditEntry

ACTIONS: dict[str, str | Promise] = {
    "access.denied": gettext_lazy("Access refused"),
    "ai_default.cleared": gettext_lazy("Default AI engine cleared"),
    "ai_budget.changed": gettext_lazy("AI budget changed"),
    "ai_budget.created": gettext_lazy("AI budget created"),
    "ai_budget.deleted": gettext_lazy("AI budget deleted"),
    "ai_budget.disabled": gettext_lazy("AI budget disabled"),
    "ai_budget.enabled": gettext_lazy("AI budget enabled"),
    "ai_default.set": gettext_lazy("Default AI engine set"),
    "ai_engine.abilities_set": gettext_lazy("What an AI engine's server can do set by hand"),
    "ai_engine.changed": gettext_lazy("AI engine changed"),
    "ai_engine.created": gettext_lazy("AI engine created"),
    "ai_engine.deleted": gettext_lazy("AI engine deleted"),
    "ai_engine.disabled": gettext_lazy("AI engines disabled"),
    "ai_engine.enabled": gettext_lazy("AI engines enabled"),
    "ai_engine.failing": gettext_lazy("AI engine failing: nothing is sent to it"),
    "ai_engine.paused": gettext_lazy("AI engine paused"),
    "ai_engine.resumed": gettext_lazy("AI engine resumed"),
    "ai_engine.saved_and_tested": gettext_lazy("AI engine saved and tested"),
    "ai_engine.several_tested": gettext_lazy("AI engines tested"),
    "ai_engine.tested": gettext_lazy("AI engine tested"),
    "ai_engine.tried": gettext_lazy("Failing AI engine tried again"),
    "ai_engine.trusted": gettext_lazy("Failing AI engine used again"),
    "ai_task.activated": gettext_lazy("AI task switched on"),
    "ai_task.archived": gettext_lazy("AI task archived"),
    "ai_task.changed": gettext_lazy("AI task changed"),
    "ai_task.created": gettext_lazy("AI task created"),
    "ai_task.deactivated": gettext_lazy("AI task switched off"),
    "ai_task.disabled": gettext_lazy("AI task disabled"),
    "ai_task.enabled": gettext_lazy("AI task enabled"),
    "ai_task.labelled": gettext_lazy("Label of an AI task moved"),
    "ai_task.overridden": gettext_lazy("AI task overridden"),
    "ai_task.override_dropped": gettext_lazy("Override of an AI task dropped"),
    "ai_task.policy_changed": gettext_lazy("Rights to AI tasks changed"),
    "ai_task.restored": gettext_lazy("Version of an AI task restored"),
    "ai_task.tried": gettext_lazy("Draft of an AI task tried"),
    "ai_task.try_cancelled": gettext_lazy("Try of an AI task cancelled"),
    "ai_price.added": gettext_lazy("Price of an AI engine added"),
    "ai_price.deleted": gettext_lazy("Price of an AI engine deleted"),
    "ai_rate.changed": gettext_lazy("Rate of AI executions changed"),
    "alert_rule.changed": gettext_lazy("Alert rule changed"),
    "alert_rule.created": gettext_lazy("Alert rule created"),
    "alert_rule.deleted": gettext_lazy("Alert rule deleted"),
    "alert_rule.disabled": gettext_lazy("Alert rule disabled"),
    "alert_rule.enabled": gettext_lazy("Alert rule enabled"),
    "alert_rule.snoozed": gettext_lazy("Alert rule snoozed"),
    "alert_rule.tested": gettext_lazy("Test of an alert rule sent"),
    "allowed_address.created": gettext_lazy("Allowed address added"),
    "allowed_address.deleted": gettext_lazy("Allowed address removed"),
    "allowed_address.several_deleted": gettext_lazy("Allowed addresses removed"),
    "bulk_action.aborted": gettext_lazy("Bulk action aborted"),
    "bulk_action.finished": gettext_lazy("Bulk action finished"),
    "bulk_action.started": gettext_lazy("Bulk action started"),
    "call.created": gettext_lazy("Call created"),
    "call.deleted": gettext_lazy("Call deleted"),
    "calls.deleted": gettext_lazy("Calls deleted"),
    "calls.analysed": gettext_lazy("Conversations sent to be asked about by AI tasks again"),
    "calls.queued": gettext_lazy("Calls sent to be processed again"),
    "calls.tagged": gettext_lazy("Tag assigned to calls"),
    "calls.untagged": gettext_lazy("Tag cleared from calls"),
    "custom_field.changed": gettext_lazy("Custom field changed"),
    "custom_field.created": gettext_lazy("Custom field created"),
    "custom_field.deleted": gettext_lazy("Custom field deleted"),
    "custom_field.disabled": gettext_lazy("Custom field disabled"),
    "custom_field.enabled": gettext_lazy("Custom field enabled"),
    "export.made": gettext_lazy("Export made"),
    "field_value.edited": gettext_lazy("Value of a custom field edited"),
    "field_value.unpinned": gettext_lazy("Value of a custom field unpinned"),
    "job.backfill_started": gettext_lazy("Backfill started"),
    "job.changed": gettext_lazy("Job changed"),
    "job.cloned": gettext_lazy("Job cloned"),
    "job.created": gettext_lazy("Job created"),
    "job.deleted": gettext_lazy("Job deleted"),
    "job.enabled": gettext_lazy("Job enabled"),
    "job.logs_deleted": gettext_lazy("Logs of a job deleted"),
    "job.paused": gettext_lazy("Job paused"),
    "job.resumed": gettext_lazy("Job resumed"),
    "job.saved_and_started": gettext_lazy("Job saved and started"),
    "job.started": gettext_lazy("Job started"),
    "job.stopped": gettext_lazy("Job stopped"),
    "job.token_imported": gettext_lazy("Continuation token of a job replaced"),
    "job.token_reset": gettext_lazy("Continuation token of a job reset"),
    "ledger.differs": gettext_lazy("Ledger differs from its counters"),
    "ledger.rebuilt": gettext_lazy("Counters rebuilt from the ledger"),
    "licence.granted": gettext_lazy("Licence granted"),
    "licence_limits.changed": gettext_lazy("License limits changed"),
    "language.changed": gettext_lazy("Language changed"),
    "language.created": gettext_lazy("Language added"),
    "language.disabled": gettext_lazy("Languages disabled"),
    "language.enabled": gettext_lazy("Languages enabled"),
    "licences.granted": gettext_lazy("Licences granted"),
    "licences.revoked": gettext_lazy("Licences revoked"),
    "miaop.archived": gettext_lazy("Offline task archived"),
    "miaop.submitted": gettext_lazy("Offline task submitted"),
    "miaop.transcript_read": gettext_lazy("Transcript read by the offline-task API"),
    "miaop.unarchived": gettext_lazy("Offline task unarchived"),
    "limit.warned": gettext_lazy("Warning about a limit"),
    "pairing.changed": gettext_lazy("Pairing changed"),
    "pairing.confirmed": gettext_lazy("Fingerprint of the pairing server confirmed"),
    "pairing.removed": gettext_lazy("Pairing ended"),
    "pairing.retried": gettext_lazy("Sending to the pairing server tried again"),
    "pairing.tested": gettext_lazy("Connection to the pairing server tested"),
    "queue.changed": gettext_lazy("Queue changed"),
    "queue.conflict_kept": gettext_lazy("Conflict of queues decided: ours kept"),
    "queue.conflict_renamed": gettext_lazy("Conflict of queues decided: theirs renamed"),
    "queue.conflict_taken": gettext_lazy("Conflict of queues decided: theirs taken"),
    "queue.conflicts_taken": gettext_lazy("Conflicts of queues decided: theirs taken"),
    "queue.created": gettext_lazy("Queue created"),
    "queue.deleted": gettext_lazy("Queue deleted"),
    "queue.deletion_started": gettext_lazy("Queue being deleted"),
    "queue.detached": gettext_lazy("Queue detached from its origin"),
    "queue.disabled": gettext_lazy("Queue disabled"),
    "queue.draining": gettext_lazy("Queue being drained"),
    "queue.enabled": gettext_lazy("Queue enabled"),
    "queue.paused": gettext_lazy("Queue paused"),
    "queue.purge_aborted": gettext_lazy("Emptying of queue aborted"),
    "queue.purge_started": gettext_lazy("Queue being emptied"),
    "queue.purged": gettext_lazy("Queue emptied"),
    "queue.replica_changed": gettext_lazy("Replicated queue changed by its origin"),
    "queue.replica_conflict": gettext_lazy("Replicated queue does not fit"),
    "queue.replica_created": gettext_lazy("Replicated queue received"),
    "queue.replica_deleted": gettext_lazy("Replicated queue deleted by its origin"),
    "queue.replica_released": gettext_lazy("Replicated queue released by its origin"),
    "queue.resumed": gettext_lazy("Queue resumed"),
    "realm.changed": gettext_lazy("Settings of the offline-task API changed"),
    "realm.issuer_added": gettext_lazy("Trusted issuer added"),
    "realm.issuer_changed": gettext_lazy("Trusted issuer changed"),
    "realm.issuer_removed": gettext_lazy("Trusted issuer removed"),
    "realm.key_rotated": gettext_lazy("Signing key of the offline-task API rotated"),
    "realm.session_revoked": gettext_lazy("Session of the offline-task API ended"),
    "realm.token_reused": gettext_lazy("Refresh token used twice: session ended"),
    "recording.downloaded": gettext_lazy("Recording downloaded"),
    "recording.fetched": gettext_lazy("Recording fetched by a speech engine"),
    "recording.played": gettext_lazy("Recording played"),
    "records.abort": gettext_lazy("Processing aborted"),
    "records.delete": gettext_lazy("Processing records deleted"),
    "records.requeue": gettext_lazy("Records requeued"),
    "records.retry": gettext_lazy("Processing repeated"),
    "records.skip": gettext_lazy("Processing skipped"),
    "role.changed": gettext_lazy("Role changed"),
    "role.created": gettext_lazy("Role created"),
    "role.deleted": gettext_lazy("Role deleted"),
    "service_limits.changed": gettext_lazy("Service limits changed"),
    "sign_in.changed": gettext_lazy("Sign-in settings changed"),
    "speech_price.added": gettext_lazy("Price of a speech engine added"),
    "speech_price.deleted": gettext_lazy("Price of a speech engine deleted"),
    "speech_engine.changed": gettext_lazy("Speech engine changed"),
    "speech_engine.created": gettext_lazy("Speech engine created"),
    "speech_engine.deleted": gettext_lazy("Speech engine deleted"),
    "speech_engine.disabled": gettext_lazy("Speech engines disabled"),
    "speech_engine.enabled": gettext_lazy("Speech engines enabled"),
    "speech_engine.failing": gettext_lazy("Speech engine failing: nothing is sent to it"),
    "speech_engine.paused": gettext_lazy("Speech engine paused"),
    "speech_engine.resumed": gettext_lazy("Speech engine resumed"),
    "speech_engine.saved_and_tested": gettext_lazy("Speech engine saved and tested"),
    "speech_engine.several_tested": gettext_lazy("Speech engines tested"),
    "speech_engine.tested": gettext_lazy("Speech engine tested"),
    "speech_engine.tried": gettext_lazy("Failing speech engine tried again"),
    "speech_engine.trusted": gettext_lazy("Failing speech engine used again"),
    "tenant.changed": gettext_lazy("Tenant changed"),
    "tenant.closed": gettext_lazy("Tenant closed"),
    "tenant.created": gettext_lazy("Tenant created"),
    "tenant.deleted": gettext_lazy("Data of the tenant deleted"),
    "tenant.deletion_cancelled": gettext_lazy("Request for deletion taken back"),
    "tenant.deletion_confirmed": gettext_lazy("Deletion of the tenant confirmed"),
    "tenant.deletion_requested": gettext_lazy("Deletion of the tenant requested"),
    "tenant.files_deleted": gettext_lazy("Files of the tenant deleted"),
    "tenant.provisioned": gettext_lazy("Tenant provisioned"),
    "tenant.ready": gettext_lazy("Tenant resumed"),
    "tenant.suspended": gettext_lazy("Tenant suspended"),
    "tenant.view_ended": gettext_lazy("View as tenant ended"),
    "tenant.view_started": gettext_lazy("View as tenant begun"),
    "tenant_group.changed": gettext_lazy("Tenant group changed"),
    "tenant_group.created": gettext_lazy("Tenant group created"),
    "tenant_group.deleted": gettext_lazy("Tenant group deleted"),
    "thread.created": gettext_lazy("Thread created"),
    "thread.deleted": gettext_lazy("Thread deleted"),
    "thread.read": gettext_lazy("Messages of a thread read"),
    "thread.updated": gettext_lazy("Thread updated"),
    "transcript.read": gettext_lazy("Transcript read"),
    "user.changed": gettext_lazy("User changed"),
    "user.created": gettext_lazy("User created"),
    "user.identity_linked": gettext_lazy("User linked to single sign-on"),
    "user.password_changed": gettext_lazy("Password changed"),
    "user.password_refused": gettext_lazy("Password refused"),
    "user.password_set": gettext_lazy("Password set by an administrator"),
    "user.profile_changed": gettext_lazy("Profile changed"),
    "user.recovery_code_used": gettext_lazy("Recovery code used"),
    "user.recovery_codes_made": gettext_lazy("Recovery codes made"),
    "user.second_factor_added": gettext_lazy("Second factor added"),
    "user.second_factor_removed": gettext_lazy("Second factor removed"),
    "user.second_factor_reset": gettext_lazy("Second factors reset"),
    "user.session_revoked": gettext_lazy("Session ended"),
    "user.sessions_revoked": gettext_lazy("Sessions ended"),
    "user.sign_in_refused": gettext_lazy("Sign-in refused"),
    "user.signed_in": gettext_lazy("Signed in"),
    "user.signed_out": gettext_lazy("Signed out"),
    "users.disabled": gettext_lazy("Users disabled"),
    "users.enabled": gettext_lazy("Users enabled"),
    "users.imported": gettext_lazy("Users imported"),
    "users.role_set": gettext_lazy("Role given to users"),
    "worker.stop": gettext_lazy("Worker asked to stop"),
}
KINDS: dict[str, str | Promise] = {
    "ai_budget": gettext_lazy("AI budget"),
    "alert_rule": gettext_lazy("Alert rule"),
    "allowed_address": gettext_lazy("Allowed address"),
    "bulk_action": gettext_lazy("Bulk action"),
    "call": gettext_lazy("Call"),
    "calls": gettext_lazy("Calls"),
    "conversation": gettext_lazy("Conversation"),
    "custom_field": gettext_lazy("Custom field"),
    "file": gettext_lazy("File"),
    "job": gettext_lazy("Job"),
    "language": gettext_lazy("Language"),
    "page": gettext_lazy("Page"),
    "pairing": gettext_lazy("Pairing server"),
    "queue": gettext_lazy("Queue"),
    "queue_conflict": gettext_lazy("Conflict of queues"),
    "realm": gettext_lazy("Offline-task API"),
    "reconciliation": gettext_lazy("Check of the ledger"),
    "role": gettext_lazy("Role"),
    "ai_engine": gettext_lazy("AI engine"),
    "ai_task": gettext_lazy("AI task"),
    "speech_engine": gettext_lazy("Speech engine"),
    "statement": gettext_lazy("Statement"),
    "tenant": gettext_lazy("Tenant"),
    "tenant_group": gettext_lazy("Tenant group"),
    "thread": gettext_lazy("Thread"),
    "user": gettext_lazy("User"),
    "worker": gettext_lazy("Worker"),
}
FIELDS: dict[str, str | Promise] = {
    "access_scope": gettext_lazy("Access scope"),
    "action": gettext_lazy("Action"),
    "attribute": gettext_lazy("Right"),
    "audio_days": gettext_lazy("Days that audio is kept"),
    "base": gettext_lazy("Rests on version"),
    "bundle": gettext_lazy("Licence"),
    "call_days": gettext_lazy("Days that calls are kept"),
    "changed": gettext_lazy("Changed"),
    "chosen": gettext_lazy("Chosen by"),
    "contact_email": gettext_lazy("Contact email"),
    "contact_name": gettext_lazy("Contact person"),
    "contact_phone": gettext_lazy("Contact phone"),
    "count": gettext_lazy("Number"),
    "description": gettext_lazy("Description"),
    "editable": gettext_lazy("Edited by people"),
    "email": gettext_lazy("Email"),
    "enabled": gettext_lazy("Enabled"),
    "engine_type": gettext_lazy("Engine type"),
    "events": gettext_lazy("Events"),
    "filters": gettext_lazy("Filters"),
    "fingerprint": gettext_lazy("Fingerprint"),
    "full_name": gettext_lazy("Full name"),
    "granted": gettext_lazy("Rights"),
    "group": gettext_lazy("Group"),
    "groups": gettext_lazy("Tenant groups"),
    "in_lists": gettext_lazy("Column and filter of lists"),
    "is_active": gettext_lazy("Enabled"),
    "job_history_days": gettext_lazy("Days that the history of jobs is kept"),
    "key": gettext_lazy("Key"),
    "label": gettext_lazy("Label"),
    "language": gettext_lazy("Language"),
    "licences": gettext_lazy("Licences"),
    "managed_groups": gettext_lazy("Managed groups"),
    "managed_tenant_groups": gettext_lazy("Managed tenant groups"),
    "method": gettext_lazy("Method"),
    "month_zone": gettext_lazy("Months begin in"),
    "name": gettext_lazy("Name"),
    "network": gettext_lazy("Network"),
    "oidc_client_id": gettext_lazy("Client id"),
    "oidc_client_secret": gettext_lazy("Client secret"),
    "oidc_create_users": gettext_lazy("Create unknown users"),
    "oidc_default_role": gettext_lazy("Role of created users"),
    "oidc_enabled": gettext_lazy("Single sign-on"),
    "oidc_issuer": gettext_lazy("Issuer"),
    "oidc_label": gettext_lazy("Label of the button"),
    "oidc_match": gettext_lazy("Users are found by"),
    "oidc_second_factor": gettext_lazy("Ask for our second factor too"),
    "org_lifetime": gettext_lazy("Minutes of the organisation, lifetime"),
    "org_month": gettext_lazy("Minutes of the organisation per month"),
    "origin": gettext_lazy("Origin"),
    "own_tasks": gettext_lazy("Own tasks"),
    "overrides": gettext_lazy("Overrides"),
    "parts": gettext_lazy("Parts"),
    "path": gettext_lazy("Address of the page"),
    "per_user": gettext_lazy("Limits per user"),
    "policy": gettext_lazy("When a limit is reached"),
    "port": gettext_lazy("Port"),
    "position": gettext_lazy("Order"),
    "price_per_minute": gettext_lazy("Price per minute"),
    "production": gettext_lazy("Version in production"),
    "record_type": gettext_lazy("Record type"),
    "require_second_factor": gettext_lazy("Require a second factor"),
    "restored": gettext_lazy("Restored version"),
    "role": gettext_lazy("Role"),
    "rows": gettext_lazy("Rows"),
    "scope": gettext_lazy("Access scope"),
    "server_address": gettext_lazy("Server address"),
    "sessions_ended": gettext_lazy("Sessions ended"),
    "settings": gettext_lazy("Settings"),
    "skipped": gettext_lazy("Skipped"),
    "slug": gettext_lazy("Short name"),
    "tenant": gettext_lazy("Tenant"),
    "tenants": gettext_lazy("Tenants"),
    "time_zone": gettext_lazy("Time zone"),
    "title": gettext_lazy("Title"),
    "token": gettext_lazy("Token"),
    "transcript_days": gettext_lazy("Days that transcripts are kept"),
    "type": gettext_lazy("Type"),
    "user_lifetime": gettext_lazy("Minutes per user, lifetime"),
    "user_month": gettext_lazy("Minutes per user and month"),
    "username": gettext_lazy("User name"),
    "version": gettext_lazy("Version"),
    "visibility": gettext_lazy("Visibility"),
}


def action_words(code: str) -> str:
    """What was done, in words."""
    return str(ACTIONS.get(code, code))


def kind_words(target_type: str) -> str:
    """What kind of object it was done to."""
    return str(KINDS.get(target_type, target_type))


def field_words(name: str) -> str:
    """What a field, or a further fact, is called."""
    return str(FIELDS.get(name, name))


def actions_called(words: str) -> list[str]:
    """The codes of the actions whose words begin so, whatever their case."""
    begin = words.strip().casefold()
    return [code for code, label in ACTIONS.items() if begin and str(label).casefold().startswith(begin)]


def yes_or_no(value: bool) -> str:
    """A truth in words."""
    return _("yes") if value else _("no")


def names_of(entries: Iterable[AuditEntry], tenants: dict[uuid.UUID, str] | None = None) -> dict[int, str]:
    """The name of the object of each entry, by the entry's key; an entry without one is left out.

    The name is what the entry itself says; else that of one of ``tenants``; else that of a user of the entry's own
    tenant, which are read in one query and not at all when there is none to look for.
    """
    found: dict[int, str] = {}
    unnamed: dict[int, tuple[uuid.UUID, uuid.UUID]] = {}
    for entry in entries:
        name = _own_name(entry)
        identity = _uuid(entry.target_id)
        if not name and identity is not None and entry.target_type == "tenant":
            name = (tenants or {}).get(identity, "")
        if name:
            found[entry.pk] = name
        elif identity is not None and entry.target_type == "user":
            unnamed[entry.pk] = (entry.tenant_id, identity)
    if unnamed:
        people = get_user_model()._default_manager.filter(pk__in={identity for _tenant, identity in unnamed.values()})
        usernames = {(tenant, pk): name for tenant, pk, name in people.values_list("tenant_id", "pk", "username")}
        found |= {key: usernames[whom] for key, whom in unnamed.items() if whom in usernames}
    return found


def _own_name(entry: AuditEntry) -> str:
    """The name of the object as the entry says it; of a page its address."""
    wanted = {"user": "username", "page": "path"}.get(entry.target_type, "name")
    # A name beside a user, like that of the second factor, is not his own.
    for said in (entry.after, entry.details, entry.before):
        if isinstance(said, dict) and isinstance(said.get(wanted), str) and said[wanted]:
            return str(said[wanted])
    return ""


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None

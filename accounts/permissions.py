"""The grid of rights (domain L10–L13), the built-in roles and the access scopes.

A right is named ``row.right``; views, exports and searches name these codes and nothing else. The guide's rows come
first and exactly; "Own" is cut off in the guide's picture, so it offers the same rights as "Other users'". The rows of
the administration are ours: the guide's grid does not show them (ADR 0003).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models
from django.utils.functional import Promise, lazy
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the grid: ``key`` is the front of the codes, ``rights`` its boxes in order, ``view`` the harmless."""

    key: str
    group: Text
    label: Text
    rights: tuple[tuple[str, Text], ...]
    platform: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all boxes of the line."""
        return tuple(f"{self.key}.{right}" for right, _label in self.rights)

    @property
    def view_codes(self) -> tuple[str, ...]:
        """What VIEW ONLY ticks."""
        return tuple(code for code in self.codes if code.endswith(".view"))


VIEW = ("view", _("View"))
EDIT = ("edit", _("Edit"))
CREATE = ("create", _("Create"))
DELETE = ("delete", _("Delete"))
EXPORT = ("export", _("Export"))
ASSIGN = ("assign", _("Assign"))
CALL_RIGHTS = (
    VIEW,
    ("playback", _("Playback")),
    ("download", _("Download")),
    ("control_recording", _("Control on-demand recording")),
    ("pause_recording", _("Pause recording")),
    ("live_monitor", _("Live monitor")),
    ("tag", _("Tag")),
    ("add_notes", _("Add notes")),
    ("evaluate", _("Evaluate")),
    ("assign_evaluation", _("Assign evaluation")),
    ("set_confidential", _("Set confidential flag")),
    ("clear_confidential", _("Clear confidential flag")),
    ("set_do_not_delete", _("Set Do-Not-Delete flag")),
    ("clear_do_not_delete", _("Clear Do-Not-Delete flag")),
    EDIT,
    DELETE,
    ("share", _("Share")),
)
ATTRIBUTES, RECORDINGS = _("Call attributes"), _("Call recordings")
ADMINISTRATION, PLATFORM = _("Administration"), _("Platform")
GRID: tuple[Row, ...] = (
    Row("ask_ai", "", _("Ask AI (chats)"), (VIEW, CREATE, EDIT, DELETE)),
    Row("audit_trail", "", _("Audit trail"), (VIEW, EXPORT)),
    Row("call_attributes.custom_fields", ATTRIBUTES, _("Custom fields"), (VIEW, EDIT)),
    Row("call_attributes.sentiment", ATTRIBUTES, _("Sentiment score"), (VIEW,)),
    Row("call_attributes.summary", ATTRIBUTES, _("Summary"), (VIEW, EDIT)),
    Row("call_attributes.topics", ATTRIBUTES, _("Topics"), (VIEW,)),
    Row("call_attributes.transcript", ATTRIBUTES, _("Transcript"), (VIEW,)),
    Row("calls.confidential", RECORDINGS, _("Confidential"), (VIEW,)),
    Row("calls.own", RECORDINGS, _("Own"), CALL_RIGHTS),
    Row("calls.others", RECORDINGS, _("Other users'"), CALL_RIGHTS),
    Row("calls", RECORDINGS, _("New calls"), (("upload", _("Upload")),)),
    Row("home", ADMINISTRATION, _("Home"), (VIEW,)),
    Row("users", ADMINISTRATION, _("Users"), (VIEW, EDIT)),
    Row("licences", ADMINISTRATION, _("Licences of users"), (ASSIGN,)),
    Row("licence_limits", ADMINISTRATION, _("License Limits"), (VIEW, EDIT)),
    Row("service_limits", ADMINISTRATION, _("Service Limits"), (VIEW, EDIT)),
    Row("usage", ADMINISTRATION, _("Usage"), (VIEW,)),
    Row("roles", ADMINISTRATION, _("Roles"), (VIEW, EDIT)),
    Row("custom_fields", ADMINISTRATION, _("Custom fields"), (VIEW, EDIT)),
    Row("ai_budgets", ADMINISTRATION, _("AI budgets"), (EDIT,)),
    Row("ai_tasks", ADMINISTRATION, _("AI tasks"), (VIEW, EDIT)),
    Row("retention", ADMINISTRATION, _("Retention"), (VIEW, EDIT)),
    Row("sign_in", ADMINISTRATION, _("Sign-in settings"), (VIEW, EDIT)),
    Row("miaop", ADMINISTRATION, _("Offline-task API"), (("submit", _("Submit")), ("read", _("Read")))),
    Row("tenants", PLATFORM, _("Tenants"), (VIEW, EDIT, DELETE, ("view_as", _("View as tenant"))), platform=True),
    Row("engines", PLATFORM, _("Engines"), (VIEW, EDIT), platform=True),
    Row("queues", PLATFORM, _("Processing Queues"), (VIEW, EDIT), platform=True),
    Row("jobs", PLATFORM, _("Jobs"), (VIEW, EDIT), platform=True),
    Row("jobs.records", PLATFORM, _("Processing records"), (EDIT,), platform=True),
    Row("pairing", PLATFORM, _("Pairing server"), (VIEW, EDIT), platform=True),
    Row("allowed_addresses", PLATFORM, _("Allowed Addresses"), (EDIT,), platform=True),
)


def _label(row: Row, right: Text) -> str:
    group = f"{row.group} – " if row.group else ""
    return f"{group}{row.label}: {right}"


_labelled = lazy(_label, str)
LABELS = {f"{row.key}.{right}": _labelled(row, label) for row in GRID for right, label in row.rights}


def label_of(code: str) -> str:
    """ "Call recordings – Own: Playback"; the bare code when no such right exists any more."""
    return str(LABELS.get(code, code))


ALL_CODES: frozenset[str] = frozenset(code for row in GRID for code in row.codes)
# Limits are sold by the platform; a tenant's own roles can show them, not change them (security §3).
PLATFORM_CODES: frozenset[str] = frozenset(
    {code for row in GRID if row.platform for code in row.codes} | {"licence_limits.edit", "service_limits.edit"}
)
# What these change concerns all tenants at once, so they work in roles of the access scope "System" only.
SYSTEM_CODES: frozenset[str] = frozenset({"allowed_addresses.edit", "engines.edit", "pairing.edit"})
TENANT_CODES: frozenset[str] = ALL_CODES - PLATFORM_CODES


class Permission:
    """The codes that code names, so that a misspelt one is an error."""

    HOME_VIEW = "home.view"
    CALLS_VIEW_OWN = "calls.own.view"
    CALLS_VIEW_OTHERS = "calls.others.view"
    CALLS_VIEW_CONFIDENTIAL = "calls.confidential.view"
    CALLS_PLAYBACK_OWN = "calls.own.playback"
    CALLS_PLAYBACK_OTHERS = "calls.others.playback"
    CALLS_DOWNLOAD_OWN = "calls.own.download"
    CALLS_DOWNLOAD_OTHERS = "calls.others.download"
    CALLS_TAG_OWN = "calls.own.tag"
    CALLS_TAG_OTHERS = "calls.others.tag"
    CALLS_EDIT_OWN = "calls.own.edit"
    CALLS_EDIT_OTHERS = "calls.others.edit"
    CALLS_DELETE_OWN = "calls.own.delete"
    CALLS_DELETE_OTHERS = "calls.others.delete"
    CALLS_UPLOAD = "calls.upload"
    TRANSCRIPT_VIEW = "call_attributes.transcript.view"
    FIELDS_VIEW = "call_attributes.custom_fields.view"
    FIELDS_EDIT = "call_attributes.custom_fields.edit"
    SENTIMENT_VIEW = "call_attributes.sentiment.view"
    SUMMARY_VIEW = "call_attributes.summary.view"
    SUMMARY_EDIT = "call_attributes.summary.edit"
    TOPICS_VIEW = "call_attributes.topics.view"
    AUDIT_VIEW = "audit_trail.view"
    AUDIT_EXPORT = "audit_trail.export"
    USERS_VIEW = "users.view"
    USERS_EDIT = "users.edit"
    LICENCES_ASSIGN = "licences.assign"
    LICENCE_LIMITS_VIEW = "licence_limits.view"
    LICENCE_LIMITS_EDIT = "licence_limits.edit"
    SERVICE_LIMITS_VIEW = "service_limits.view"
    SERVICE_LIMITS_EDIT = "service_limits.edit"
    USAGE_VIEW = "usage.view"
    ROLES_VIEW = "roles.view"
    ROLES_EDIT = "roles.edit"
    # Of the definitions; those of the values are above.
    CUSTOM_FIELDS_VIEW = "custom_fields.view"
    CUSTOM_FIELDS_EDIT = "custom_fields.edit"
    AI_BUDGETS_EDIT = "ai_budgets.edit"
    AI_TASKS_VIEW = "ai_tasks.view"
    AI_TASKS_EDIT = "ai_tasks.edit"
    RETENTION_VIEW = "retention.view"
    RETENTION_EDIT = "retention.edit"
    SIGN_IN_VIEW = "sign_in.view"
    SIGN_IN_EDIT = "sign_in.edit"
    MIAOP_SUBMIT = "miaop.submit"
    MIAOP_READ = "miaop.read"
    QUEUES_VIEW = "queues.view"
    QUEUES_EDIT = "queues.edit"
    ENGINES_VIEW = "engines.view"
    ENGINES_EDIT = "engines.edit"
    JOBS_VIEW = "jobs.view"
    JOBS_EDIT = "jobs.edit"
    RECORDS_EDIT = "jobs.records.edit"
    PAIRING_VIEW = "pairing.view"
    PAIRING_EDIT = "pairing.edit"
    ADDRESSES_EDIT = "allowed_addresses.edit"
    TENANTS_VIEW = "tenants.view"
    TENANTS_EDIT = "tenants.edit"
    TENANTS_DELETE = "tenants.delete"
    TENANTS_VIEW_AS = "tenants.view_as"


class AccessScope(models.TextChoices):
    """How far the rights of a role reach (domain §2 Roles); of two scopes the earlier one is wider."""

    SYSTEM = "system", _("System")
    MANAGED_GROUPS = "managed_groups", _("Managed groups")
    USER = "user", _("User")

    @classmethod
    def within(cls, inner: str, outer: str) -> bool:
        """Whether ``inner`` reaches no further than ``outer``."""
        order = list(cls.values)
        return order.index(inner) >= order.index(outer)


class DefaultRole(models.TextChoices):
    """The built-in roles. A platform administrator is a user of the System tenant."""

    PLATFORM_ADMIN = "platform_admin", _("Platform administrator")
    TENANT_ADMIN = "tenant_admin", _("Tenant administrator")
    SUPERVISOR = "supervisor", _("Supervisor")
    AGENT = "agent", _("Agent")
    AUDITOR = "auditor", _("Auditor")
    INTEGRATOR = "integrator", _("Integrator")


def _call_rights(key: str, *rights: str) -> set[str]:
    return {f"{key}.{right}" for right in rights}


def _views(rows: Iterable[Row]) -> set[str]:
    return {code for row in rows for code in row.view_codes}


_ATTRIBUTES = _views(row for row in GRID if row.key.startswith("call_attributes."))
_AGENT = {"home.view"} | _ATTRIBUTES | _call_rights("calls.own", "view", "playback")
# The ticked boxes of the guide's picture (domain L12).
_TICKED = tuple(right for right, _label in CALL_RIGHTS[:10])
_SUPERVISOR = (
    _AGENT
    | _call_rights("calls.own", "download", "tag", "add_notes")
    | _call_rights("calls.others", *_TICKED)
    | {"call_attributes.custom_fields.edit", "ask_ai.view", "ask_ai.create", "miaop.submit", "miaop.read"}
)
_TENANT_ADMIN = set(TENANT_CODES) - {"calls.confidential.view"}
_AUDITOR = (_views(row for row in GRID if not row.platform) - {"calls.confidential.view"}) | {
    "audit_trail.export",
    "calls.own.playback",
    "calls.others.playback",
}
_INTEGRATOR = {
    "home.view",
    "calls.upload",
    "miaop.submit",
    "miaop.read",
    "usage.view",
    "call_attributes.custom_fields.view",
    "call_attributes.custom_fields.edit",
    "call_attributes.transcript.view",
} | {f"calls.{whose}.{right}" for whose in ("own", "others") for right in ("view", "playback", "download")}
ROLE_PERMISSIONS: dict[str, frozenset[str]] = {
    DefaultRole.PLATFORM_ADMIN: ALL_CODES,
    DefaultRole.TENANT_ADMIN: frozenset(_TENANT_ADMIN),
    DefaultRole.SUPERVISOR: frozenset(_SUPERVISOR),
    DefaultRole.AGENT: frozenset(_AGENT),
    DefaultRole.AUDITOR: frozenset(_AUDITOR),
    DefaultRole.INTEGRATOR: frozenset(_INTEGRATOR),
}
ROLE_SCOPES: dict[str, AccessScope] = {
    DefaultRole.PLATFORM_ADMIN: AccessScope.SYSTEM,
    DefaultRole.TENANT_ADMIN: AccessScope.SYSTEM,
    DefaultRole.SUPERVISOR: AccessScope.MANAGED_GROUPS,
    DefaultRole.AGENT: AccessScope.USER,
    DefaultRole.AUDITOR: AccessScope.SYSTEM,
    DefaultRole.INTEGRATOR: AccessScope.SYSTEM,
}
# What is left to platform staff while they view a tenant: what its administrator may see and hear, and no change.
VIEWING_PERMISSIONS: frozenset[str] = frozenset(
    code for code in _TENANT_ADMIN if code.endswith((".view", ".read", ".playback", ".download", ".export"))
)

"""Permission codes and the first four roles.

The rows and rights are the guide's (domain L10–L13) as far as pages for them exist; the editable grid replaces
``ROLE_PERMISSIONS`` without touching a view, because views only name codes.
"""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Permission(StrEnum):
    """One right. ``own`` and ``others`` are the guide's rows of Call recordings."""

    HOME_VIEW = "home.view"
    CALLS_VIEW_OWN = "calls.own.view"
    CALLS_VIEW_OTHERS = "calls.others.view"
    CALLS_PLAYBACK_OWN = "calls.own.playback"
    CALLS_PLAYBACK_OTHERS = "calls.others.playback"
    CALLS_DOWNLOAD_OWN = "calls.own.download"
    CALLS_DOWNLOAD_OTHERS = "calls.others.download"
    CALLS_UPLOAD = "calls.upload"
    TRANSCRIPT_VIEW = "call_attributes.transcript.view"
    QUEUES_VIEW = "queues.view"
    QUEUES_EDIT = "queues.edit"
    ENGINES_VIEW = "engines.view"
    ENGINES_EDIT = "engines.edit"
    JOBS_VIEW = "jobs.view"
    JOBS_EDIT = "jobs.edit"
    RECORDS_EDIT = "jobs.records.edit"
    ADDRESSES_EDIT = "allowed_addresses.edit"
    TENANTS_VIEW = "tenants.view"


class Role(models.TextChoices):
    """The first roles. A platform administrator is a user of the System tenant."""

    PLATFORM_ADMIN = "platform_admin", _("Platform administrator")
    TENANT_ADMIN = "tenant_admin", _("Tenant administrator")
    SUPERVISOR = "supervisor", _("Supervisor")
    AGENT = "agent", _("Agent")


_AGENT = frozenset(
    {
        Permission.HOME_VIEW,
        Permission.CALLS_VIEW_OWN,
        Permission.CALLS_PLAYBACK_OWN,
        Permission.TRANSCRIPT_VIEW,
    }
)
_SUPERVISOR = _AGENT | {
    Permission.CALLS_VIEW_OTHERS,
    Permission.CALLS_PLAYBACK_OTHERS,
    Permission.CALLS_DOWNLOAD_OWN,
    Permission.CALLS_DOWNLOAD_OTHERS,
}
ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    Role.AGENT: _AGENT,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.TENANT_ADMIN: _SUPERVISOR | {Permission.CALLS_UPLOAD},
    Role.PLATFORM_ADMIN: frozenset(Permission),
}
